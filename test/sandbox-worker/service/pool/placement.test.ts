import { describe, expect, it } from "vitest";

import type { PoolPolicy } from "../../../../sandbox-worker/config.ts";
import {
  CROWD_AFTER_MS,
  place,
  recycleReason,
  sparesToStart,
} from "../../../../sandbox-worker/service/pool/placement.ts";
import type {
  CageView,
  Surroundings,
  WaitingRun,
} from "../../../../sandbox-worker/service/pool/placement.ts";

const policy: PoolPolicy = {
  spares: 2,
  maxCages: 4,
  cores: 2,
  growAfterMs: 10,
  maxRuns: 100,
  maxAgeMs: 600_000,
  idleMs: 60_000,
  queueMax: 256,
  queuePerTenant: 128,
  queueMs: 10_000,
};

const run: WaitingRun = {
  tenant: "acme",
  tenantMaxConcurrent: 0,
  memoryMb: 64,
  affinity: null,
  queuedAtMs: 1000,
};

const around: Surroundings = {
  nowMs: 1000,
  othersWait: false,
  coresBusy: false,
  caughtUp: true,
  pledged: 0,
};

const cage = (id: number, part: Partial<CageView> = {}): CageView => ({
  id,
  phase: "idle",
  tenant: "acme",
  memoryMb: 64,
  affinities: new Set(),
  claimedAtMs: 0,
  lastUsedMs: 0,
  runs: 1,
  ...part,
});
const spare = (id: number): CageView => cage(id, { phase: "spare", tenant: null, memoryMb: 0 });
const busy = (id: number, tenant = "acme"): CageView => cage(id, { phase: "busy", tenant });

describe("place()", () => {
  it("takes the tenant's most recently used idle cage, never another's", () => {
    const cages = [
      cage(1, { lastUsedMs: 5 }),
      cage(2, { lastUsedMs: 9 }),
      cage(3, { tenant: "other", lastUsedMs: 10 }),
    ];

    expect(place(run, cages, around, policy)).toEqual({ kind: "take", cageId: 2 });
  });

  it("prefers the cage that holds the run's warm instance", () => {
    const cages = [cage(1, { affinities: new Set(["hash"]) }), cage(2, { lastUsedMs: 9 })];

    expect(place({ ...run, affinity: "hash" }, cages, around, policy)).toEqual({
      kind: "take",
      cageId: 1,
    });
  });

  it("gives no cage with a higher memory limit than the run's, and one with a lower", () => {
    expect(place(run, [cage(1, { memoryMb: 128 }), spare(2)], around, policy)).toEqual({
      kind: "take",
      cageId: 2,
    });
    expect(place(run, [cage(1, { memoryMb: 32 }), spare(2)], around, policy)).toEqual({
      kind: "take",
      cageId: 1,
    });
  });

  it("takes a spare where the tenant has none idle", () => {
    expect(place(run, [busy(1), spare(2)], around, policy)).toEqual({ kind: "take", cageId: 2 });
  });

  it("waits at the tenant's cap, even beside an idle cage", () => {
    expect(place({ ...run, tenantMaxConcurrent: 1 }, [busy(1), cage(2)], around, policy)).toEqual({
      kind: "wait",
      untilMs: null,
    });
  });

  it("grows beyond the cores only after a wait", () => {
    const cages = [busy(1), busy(2), spare(3)];

    expect(place(run, cages, around, policy)).toEqual({ kind: "wait", untilMs: 1010 });
    expect(place(run, cages, { ...around, nowMs: 1010 }, policy)).toEqual({
      kind: "take",
      cageId: 3,
    });
  });

  it("grows only once all that cages have said was read: they may have ended long ago", () => {
    const cages = [busy(1), busy(2), spare(3)];
    const behind = { ...around, nowMs: 1010, caughtUp: false };

    expect(place(run, cages, behind, policy)).toEqual({ kind: "wait", untilMs: 1010 });
    expect(place(run, [busy(1), spare(3)], behind, policy)).toEqual({ kind: "take", cageId: 3 });
  });

  it("grows only after a longer wait where the cores are busy anyway", () => {
    const cages = [busy(1), busy(2), spare(3)];
    const crowded = { ...around, nowMs: 1010, coresBusy: true };

    expect(place(run, cages, crowded, policy)).toEqual({
      kind: "wait",
      untilMs: 1000 + CROWD_AFTER_MS,
    });
    expect(place(run, cages, { ...crowded, nowMs: 1000 + CROWD_AFTER_MS }, policy)).toEqual({
      kind: "take",
      cageId: 3,
    });
  });

  it("waits for a cage in the making, where one may be made", () => {
    expect(place(run, [busy(1)], around, policy)).toEqual({ kind: "await-cage", evict: null });
  });

  it("at the maximum evicts the least recently used idle cage, of whatever tenant", () => {
    const cages = [
      busy(1, "a"),
      cage(2, { tenant: "b", lastUsedMs: 7 }),
      cage(3, { tenant: "c", lastUsedMs: 3 }),
      busy(4, "d"),
    ];

    expect(place(run, cages, around, policy)).toEqual({ kind: "await-cage", evict: 3 });
  });

  it("evicts nobody while a cage is coming that no run before it takes", () => {
    const cages = [
      busy(1, "a"),
      cage(2, { tenant: "b" }),
      cage(3, { phase: "leaving", tenant: "c" }),
      busy(4, "d"),
    ];

    expect(place(run, cages, around, policy)).toEqual({ kind: "await-cage", evict: null });
    expect(place(run, cages, { ...around, pledged: 1 }, policy)).toEqual({
      kind: "await-cage",
      evict: 2,
    });
  });

  it("lets a tenant hold no more than half while others wait", () => {
    const cages = [busy(1), busy(2), spare(3)];
    const late = { ...around, nowMs: 9_000 };

    expect(place(run, cages, late, policy)).toMatchObject({ kind: "take" });
    expect(place(run, cages, { ...late, othersWait: true }, policy)).toEqual({
      kind: "wait",
      untilMs: null,
    });
  });

  it("takes back what a tenant holds above half, once others wait and nothing is left", () => {
    const cages = [busy(1), busy(2), cage(3), busy(4, "other")];

    expect(place(run, cages, { ...around, othersWait: true }, policy)).toEqual({
      kind: "wait",
      untilMs: null,
    });
    expect(place({ ...run, tenant: "new" }, cages, around, policy)).toEqual({
      kind: "await-cage",
      evict: 3,
    });
  });

  it("waits for a run's end where every cage is busy", () => {
    const cages = [busy(1, "a"), busy(2, "b"), busy(3, "c"), busy(4, "d")];

    expect(place(run, cages, around, policy)).toEqual({ kind: "wait", untilMs: null });
  });
});

describe("sparesToStart()", () => {
  it.each([
    ["fills up to the spares", [spare(1)], 0, 1],
    ["counts those that boot", [spare(1), cage(2, { phase: "booting", tenant: null })], 0, 0],
    ["adds one for each run that waits for one", [spare(1), spare(2)], 1, 1],
    ["stays below the maximum", [busy(1), busy(2), busy(3)], 2, 1],
    ["starts no more than so many at a time", [], 2, 2],
  ])("%s", (_name, cages, awaited, expected) => {
    expect(sparesToStart(cages, awaited, policy, 2)).toBe(expected);
  });
});

describe("recycleReason()", () => {
  it.each([
    ["under every bound", { runs: 99, claimedAtMs: 1, lastUsedMs: 540_001 }, null],
    ["at its number of runs", { runs: 100, lastUsedMs: 599_999 }, "runs"],
    ["at its age", { claimedAtMs: 0, lastUsedMs: 599_999 }, "age"],
    ["idle for long", { claimedAtMs: 500_000, lastUsedMs: 540_000 }, "idle"],
    ["busy, whatever its age", { phase: "busy", runs: 1000 }, null],
  ] as const)("of a cage %s is %s", (_name, part, expected) => {
    expect(recycleReason(cage(1, part), 600_000, policy)).toBe(expected);
  });
});
