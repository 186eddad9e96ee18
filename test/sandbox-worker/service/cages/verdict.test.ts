import { describe, expect, it } from "vitest";

import {
  isSilentRetry,
  saysOutOfMemory,
  verdictOfDeath,
} from "../../../../sandbox-worker/service/cages/verdict.ts";
import type { DeathEvidence } from "../../../../sandbox-worker/service/cages/verdict.ts";

const nothing: DeathEvidence = {
  cancelled: false,
  watchdogWord: null,
  overran: false,
  heapExhausted: false,
  killedBy: null,
  exitCode: null,
  signal: null,
};

describe("verdictOfDeath()", () => {
  it.each<[string, Partial<DeathEvidence>, string]>([
    ["cancelled, whatever else", { cancelled: true, watchdogWord: "cpu_timeout" }, "cancelled"],
    ["the watchdog's word", { watchdogWord: "cpu_timeout", overran: true }, "cpu_timeout"],
    ["the memory limit", { overran: true, killedBy: "deadline" }, "memory_limit"],
    ["V8's own end", { heapExhausted: true, exitCode: 139 }, "memory_limit"],
    ["our deadline", { killedBy: "deadline", signal: "SIGKILL" }, "wall_timeout"],
    ["our shutdown", { killedBy: "shutdown", signal: "SIGKILL" }, "infra_lost"],
    ["a kill by nobody known", { signal: "SIGKILL" }, "infra_lost"],
    ["the same, told by bubblewrap", { exitCode: 137 }, "infra_lost"],
    ["a segmentation fault", { signal: "SIGSEGV" }, "failed"],
    ["an abort, told by bubblewrap", { exitCode: 134 }, "failed"],
    ["a call that the filter kills for", { exitCode: 159 }, "failed"],
    ["an exit", { exitCode: 0 }, "failed"],
    ["a frame that no cage sends", { killedBy: "broken", signal: "SIGKILL" }, "failed"],
  ])("%s decides", (_name, evidence, outcome) => {
    expect(verdictOfDeath({ ...nothing, ...evidence }).outcome).toBe(outcome);
  });

  it("names a crash, and tells nothing of the host", () => {
    expect(verdictOfDeath({ ...nothing, signal: "SIGSEGV" }).error).toEqual({
      name: "SandboxCrash",
      message: "Cannot finish the run: the code crashed the process it ran in",
      stack: null,
    });
  });
});

describe("isSilentRetry()", () => {
  const lost = { outcome: "infra_lost", started: false, attempt: 1, killedBy: null } as const;

  it("is for a run lost before its code began, once", () => {
    expect(isSilentRetry(lost)).toBe(true);
    expect(isSilentRetry({ ...lost, attempt: 2 })).toBe(false);
  });

  it("is never for work that may have begun, crashed, or was ended by a shutdown", () => {
    expect(isSilentRetry({ ...lost, started: true })).toBe(false);
    expect(isSilentRetry({ ...lost, outcome: "failed" })).toBe(false);
    expect(isSilentRetry({ ...lost, killedBy: "shutdown" })).toBe(false);
  });
});

it.each([
  ["FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory", true],
  ["\n# Fatal JavaScript out of memory: MemoryChunk allocation failed", true],
  ["#\n# Fatal error in , line 0\n# Check failed: x", false],
  ["", false],
])("saysOutOfMemory(%j) is %s", (stderr, expected) => {
  expect(saysOutOfMemory(stderr)).toBe(expected);
});
