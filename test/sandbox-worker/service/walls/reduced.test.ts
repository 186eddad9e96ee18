import { spawnSync } from "node:child_process";

import { afterEach, describe, expect, it } from "vitest";

import { startSandboxService } from "../../../support/sandbox-service.ts";
import type { SandboxService } from "../../../support/sandbox-service.ts";

const NOBODY = 65_534;
/** Root can become nobody; whether nobody can read the project depends on where it lies. */
const isPossible =
  process.getuid?.() === 0 &&
  spawnSync("/bin/cat", [import.meta.filename], { uid: NOBODY, gid: NOBODY }).status === 0;

let service: SandboxService | undefined;
afterEach(async () => {
  await service?.stop();
});

describe.runIf(isPossible)("a service that is not root", () => {
  it("does not serve, and says what is missing and what would let it", async () => {
    await expect(startSandboxService({}, NOBODY)).rejects.toThrow(
      /not started by root[^]*SANDBOX_ALLOW_REDUCED/,
    );
  });

  it("serves with what walls it has where that is allowed, and says which", async () => {
    service = await startSandboxService({ SANDBOX_ALLOW_REDUCED: "true" }, NOBODY);

    const { protections } = await service.readiness();
    const { result } = await service.run({}, { code: "export default () => 6 * 7" });

    expect(result).toMatchObject({ outcome: "ok", valueJson: "42" });
    expect(protections).toMatchObject({ processes: true, ownUid: false, nodePermissions: true });
    expect(service.logged.map(({ event }) => event)).toContain("walls.reduced");
  });

  it("holds memory all the same, by looking", async () => {
    service = await startSandboxService({ SANDBOX_ALLOW_REDUCED: "true" }, NOBODY);
    const code =
      "new Uint8Array(new ArrayBuffer(2 ** 30, { maxByteLength: 2 ** 30 })).fill(1); for (;;);";
    const caps = { wallMs: 10_000, cpuMs: 10_000, memoryMb: 16 };

    const { result } = await service.run({ caps }, { code });

    expect(result).toMatchObject({ outcome: "memory_limit" });
  });
});
