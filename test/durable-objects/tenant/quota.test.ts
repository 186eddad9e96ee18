import { expect, it } from "vitest";

import { dayOf, quotaStates, untilNextDayMs } from "../../../durable-objects/tenant/quota.ts";

const NOON = Date.parse("2026-11-22T12:00:00Z");

it("days are UTC's, and end at its midnight", () => {
  expect(dayOf(NOON)).toBe("2026-11-22");
  expect(dayOf(NOON + 12 * 3_600_000 - 1)).toBe("2026-11-22");
  expect(dayOf(NOON + 12 * 3_600_000)).toBe("2026-11-23");
  expect(untilNextDayMs(NOON)).toBe(12 * 3_600_000);
});

it("a tenant without quotas has none to show", () => {
  const none = { runsPerDay: undefined, cpuMsPerDay: undefined };
  expect(quotaStates({ runs: 1e9, cpuMs: 1e12 }, none)).toEqual([]);
});

it.each([
  [0, 10],
  [9, 1],
  [10, 0],
  [11, 0],
])("after %i of 10 runs, %i remain", (runs, remaining) => {
  const policy = { runsPerDay: 10, cpuMsPerDay: undefined };
  expect(quotaStates({ runs, cpuMs: 0 }, policy)).toEqual([
    { name: "runs-per-day", limit: 10, remaining },
  ]);
});

it("CPU over its quota leaves nothing, never less", () => {
  const policy = { runsPerDay: undefined, cpuMsPerDay: 100 };
  expect(quotaStates({ runs: 0, cpuMs: 250.5 }, policy)).toEqual([
    { name: "cpu-ms-per-day", limit: 100, remaining: 0 },
  ]);
});
