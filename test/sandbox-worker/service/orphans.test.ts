import { readFileSync } from "node:fs";

import { afterEach, expect, it } from "vitest";

import { startSandboxService, until, type SandboxService } from "../../support/sandbox-service.ts";

let service: SandboxService | undefined;

afterEach(async () => {
  if (service !== undefined && !isDead(service.pid)) service.signal("SIGKILL");
  await service?.exited;
});

/** Nothing in the isolate hears a time limit here, and isolated-vm gives up waiting after 5 s. */
const DEAF = "Array.prototype.indexOf.call({ length: 1e12 }, 1)";
const DEAF_MS = 4_000;

const state = (pid: number): string => {
  try {
    return /^State:\s+(\S)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? "";
  } catch {
    return "gone";
  }
};
const isDead = (pid: number): boolean => ["gone", "Z", "X"].includes(state(pid));

async function startDeafRun(wallMs: number): Promise<number> {
  service = await startSandboxService();
  const started = service;
  // Booted before there was a run, so that the one which computes now is the run's.
  const { spares } = (await started.readiness()).cages;
  const booted = await until(async () => {
    const pids = await started.cagePids();
    return spares > 0 && pids.length >= spares && pids.every((pid) => state(pid) === "S") && pids;
  });
  started.run({ caps: { wallMs, cpuMs: 60_000 } }, { code: DEAF }).catch(() => undefined);
  return await until(() => booted.find((pid) => state(pid) === "R"));
}

it("is outlived by no cage for longer than its run's own time", async () => {
  const busy = await startDeafRun(2_000);
  const all = await service!.cagePids();

  service!.signal("SIGKILL");
  await service!.exited;

  expect(all).toContain(busy);
  expect(await until(() => all.every(isDead), DEAF_MS)).toBe(true);
});

it("has cages that end themselves over time while it does not listen", async () => {
  const busy = await startDeafRun(1_000);

  service!.signal("SIGSTOP");

  expect(await until(() => isDead(busy), DEAF_MS)).toBe(true);
});
