import { describe, expect, test } from "vitest";

import { isAlive } from "../process-tree.ts";
import { programs } from "../program.ts";
import type { HostileProgram } from "./hostile-program.ts";

/** Little CPU, for programs that are there to be stopped; the wall allows for a busy machine. */
const CAPS = { wallMs: 1500, cpuMs: 300, memoryMb: 32 };

/**
 * Tests that each program ends as it may, and that nobody else notices: the service is the same
 * process, another tenant's run is well, no cage is over the maximum and none is still busy.
 */
export function survivalTests(kind: string, hostile: readonly HostileProgram[]): void {
  const { run, servicePid, neighbourIsWell, quiet } = programs();

  describe(`the service outlives ${kind}`, () => {
    test.each(hostile)("$name", async ({ code, ends }) => {
      const pid = servicePid();
      const result = await run({ language: "javascript", code, tenant: "hostile", caps: CAPS });
      expect(ends).toContain(result.outcome);
      expect(result.certainty).toBe("certain");
      await neighbourIsWell();
      await quiet();
      expect(servicePid()).toBe(pid);
      expect(isAlive(pid)).toBe(true);
    });
  });
}
