import { describe, expect, test } from "vitest";

import type { InitExit } from "../../../container-executor/channel/init-messages.ts";
import { verdictOf } from "../../../container-executor/runs/verdict.ts";
import type { Evidence, KillCause } from "../../../container-executor/runs/verdict.ts";

type ExitPart = Partial<Omit<InitExit, "evidence">> & {
  readonly evidence?: Partial<InitExit["evidence"]>;
};

const exit = ({ evidence, ...part }: ExitPart = {}): InitExit => ({
  end: { kind: "exited", code: 0 },
  killedFor: null,
  evidence: { oomKills: 0, pidsRefused: 0, diskFull: false, valueOver: false, ...evidence },
  usage: { wallMs: 1, cpuMs: 1, memoryPeakBytes: 1, diskBytes: 0, killMs: 0 },
  stdoutBytes: 0,
  stderrBytes: 0,
  valueBytes: 0,
  ...part,
});

const seen = (part: ExitPart, rest: Partial<Evidence> = {}) =>
  verdictOf({ cause: null, cgroup: null, end: { kind: "init", exit: exit(part) }, ...rest });

const failing = { kind: "exited", code: 1 } as const;
const killed = { kind: "signalled", signal: "SIGKILL" } as const;

describe("what init saw", () => {
  test.for([
    ["exit 0 is ok", {}, "ok"],
    ["another exit code is failed", { end: failing }, "failed"],
    ["a signal is failed, SIGKILL by itself too", { end: killed }, "failed"],
    ["exit 0 is ok though a child was killed for memory", { evidence: { oomKills: 1 } }, "ok"],
    [
      "a failure with a kill for memory",
      { end: failing, evidence: { oomKills: 1 } },
      "memory_limit",
    ],
    ["a failure with a full disk", { end: failing, evidence: { diskFull: true } }, "disk_limit"],
    [
      "a failure with refused processes",
      { end: failing, evidence: { pidsRefused: 3 } },
      "process_limit",
    ],
    [
      "memory comes before disk, disk before processes",
      { end: failing, evidence: { oomKills: 1, diskFull: true, pidsRefused: 1 } },
      "memory_limit",
    ],
    ["init's own memory kill", { end: killed, killedFor: "memory_limit" }, "memory_limit"],
    ["init's own disk kill", { end: killed, killedFor: "disk_limit" }, "disk_limit"],
    ["init's own CPU kill", { end: killed, killedFor: "cpu_limit" }, "cpu_timeout"],
    ["a lease that ran out", { end: killed, killedFor: "lease_expired" }, "infra_lost"],
  ] as const)("%s", ([, part, outcome]) => {
    expect(seen(part as ExitPart)).toMatchObject({ outcome, started: true });
  });

  test("the control group's count stands in for init's", () => {
    const cgroup = { oomKills: 1, pidsRefused: 0 };
    expect(seen({ end: failing }, { cgroup }).outcome).toBe("memory_limit");
  });

  test("a program that never ran did not start", () => {
    const missing = { kind: "exec_failed", errno: "ENOENT" } as const;
    expect(seen({ end: missing })).toMatchObject({ outcome: "failed", started: false });
    const full = { kind: "setup_failed", errno: "ENOSPC", path: "a" } as const;
    expect(seen({ end: full })).toMatchObject({ outcome: "disk_limit", started: false });
  });
});

describe("our own decisions", () => {
  const causes: readonly (readonly [KillCause, string])[] = [
    ["cancelled", "cancelled"],
    ["wall", "wall_timeout"],
    ["cpu", "cpu_timeout"],
    ["output", "output_limit"],
    ["lease", "infra_lost"],
    ["drain", "infra_lost"],
  ];

  test.for(causes)("%s, carried out, is %s", ([cause, outcome]) => {
    expect(seen({ end: killed, killedFor: "cancelled" }, { cause }).outcome).toBe(outcome);
    const end = { kind: "engine", exitCode: 137, oomKilled: true, ownProgram: false } as const;
    expect(verdictOf({ cause, end, cgroup: null }).outcome).toBe(outcome);
  });

  test("a program that ended before the decision reached it ended by itself", () => {
    expect(seen({}, { cause: "cancelled" }).outcome).toBe("ok");
    expect(seen({ end: failing }, { cause: "wall" }).outcome).toBe("failed");
  });

  test("output over its cap is over it, however the program ended", () => {
    expect(seen({}, { cause: "output" }).outcome).toBe("output_limit");
  });

  test("a limit that init saw first wins", () => {
    const outcome = seen({ end: killed, killedFor: "memory_limit" }, { cause: "wall" }).outcome;
    expect(outcome).toBe("memory_limit");
  });
});

describe("what the engine says, where no init does", () => {
  const ofEngine = (part: object, cgroup: Evidence["cgroup"] = null) =>
    verdictOf({
      cause: null,
      cgroup,
      end: { kind: "engine", exitCode: 0, oomKilled: false, ownProgram: true, ...part },
    });

  test.for([
    ["exit 0", {}, "ok"],
    ["exit 0 though a child was killed for memory", { oomKilled: true }, "ok"],
    ["another exit", { exitCode: 3 }, "failed"],
    ["SIGKILL with an out of memory", { exitCode: 137, oomKilled: true }, "memory_limit"],
    ["SIGKILL without one", { exitCode: 137 }, "failed"],
    ["init gone, out of memory", { ownProgram: false, oomKilled: true }, "memory_limit"],
    ["init gone, nobody knows why", { ownProgram: false, exitCode: 2 }, "infra_lost"],
  ] as const)("%s", ([, part, outcome]) => {
    expect(ofEngine(part).outcome).toBe(outcome);
  });

  test("processes that the control group refused", () => {
    const cgroup = { oomKills: 0, pidsRefused: 2 };
    expect(ofEngine({ exitCode: 2 }, cgroup).outcome).toBe("process_limit");
  });
});

test("a container that never was: the run is lost, and did not start unless the job was sent", () => {
  const none = (sent: boolean, cause: KillCause | null = null) =>
    verdictOf({ cause, cgroup: null, end: { kind: "none", detail: "gone", sent } });
  expect(none(false)).toMatchObject({ outcome: "infra_lost", started: false });
  expect(none(true)).toMatchObject({ outcome: "infra_lost", started: true });
  expect(none(false, "cancelled")).toMatchObject({ outcome: "cancelled", started: false });
});
