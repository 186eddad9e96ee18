import { describe, expect, it } from "vitest";

import { decideAdmission, type Standing } from "../../../durable-objects/tenant/admission.ts";
import { UNUSED_TAT } from "../../../durable-objects/tenant/rate-limit.ts";

const NOW = Date.parse("2026-11-22T12:00:00Z");
const rate = { requests: 60, windowS: 60, burst: 2 };

const standing = (changes: Partial<Standing> = {}): Standing => ({
  key: undefined,
  tenant: { tat: UNUSED_TAT, policy: rate },
  held: 0,
  maxConcurrent: 4,
  used: { runs: 0, cpuMs: 0 },
  quota: { runsPerDay: undefined, cpuMsPerDay: undefined },
  ...changes,
});

/** A rate limit that has nothing left. */
const spent = { tat: (NOW + 2_000) * 1000, policy: rate };

describe("decideAdmission()", () => {
  it("lets a request in and charges its rate", () => {
    const verdict = decideAdmission(standing(), 1, NOW, "take");
    expect(verdict.failure).toBeUndefined();
    expect(verdict.tenantTat).toBe((NOW + 1_000) * 1000);
    expect(verdict.reports).toMatchObject([
      { name: "tenant", remaining: 1, moreInS: 1 },
      { name: "concurrency", quota: 4, remaining: 3 },
    ]);
  });

  it("charges nothing for a look", () => {
    const verdict = decideAdmission(standing(), 1, NOW, "look");
    expect(verdict).toMatchObject({ failure: undefined, tenantTat: UNUSED_TAT });
    expect(verdict.reports).toMatchObject([
      { name: "tenant", remaining: 2, moreInS: 0 },
      { name: "concurrency", remaining: 4 },
    ]);
  });

  it.each([
    [
      "the key's rate",
      { key: spent },
      { code: "rate_limited", policy: "key", retryAfterMs: 1_000 },
    ],
    [
      "the rate",
      { tenant: spent },
      { code: "rate_limited", policy: "tenant", retryAfterMs: 1_000 },
    ],
    ["concurrency", { held: 4 }, { code: "concurrency_limited", limit: 4 }],
    [
      "the quota of runs",
      { used: { runs: 5, cpuMs: 0 }, quota: { runsPerDay: 5, cpuMsPerDay: undefined } },
      { code: "quota_exceeded", policy: "runs-per-day", retryAfterMs: 12 * 3_600_000 },
    ],
    [
      "the quota of CPU",
      { used: { runs: 0, cpuMs: 9 }, quota: { runsPerDay: undefined, cpuMsPerDay: 9 } },
      { code: "quota_exceeded", policy: "cpu-ms-per-day" },
    ],
  ] as const)("refuses over %s, names it first, and charges no other", (_, changes, failure) => {
    const before = standing(changes);
    const verdict = decideAdmission(before, 1, NOW, "take");
    expect(verdict.failure).toMatchObject(failure);
    expect(verdict.tenantTat).toBe(before.tenant.tat);
    expect(verdict.keyTat).toBe(before.key?.tat);
    const name = "policy" in failure ? failure.policy : "concurrency";
    expect(verdict.reports[0]).toMatchObject({ name, remaining: 0 });
  });

  it("charges key and tenant together", () => {
    const key = { tat: UNUSED_TAT, policy: { requests: 1, windowS: 60, burst: 1 } };
    const verdict = decideAdmission(standing({ key }), 1, NOW, "take");
    expect(verdict.failure).toBeUndefined();
    expect(verdict.keyTat).toBe((NOW + 60_000) * 1000);
    expect(verdict.tenantTat).toBe((NOW + 1_000) * 1000);
  });

  it("never tells to come back before the limit that refused has more", () => {
    const verdict = decideAdmission(standing({ tenant: spent }), 2, NOW, "take");
    if (verdict.failure?.code !== "rate_limited") throw new Error("not refused by the rate");
    const t = verdict.reports[0]?.moreInS ?? 0;
    expect(Math.ceil(verdict.failure.retryAfterMs / 1000)).toBeGreaterThanOrEqual(t);
  });

  it("names a rate limit that could never let the request in", () => {
    const verdict = decideAdmission(standing(), 3, NOW, "take");
    expect(verdict.failure).toMatchObject({ code: "misconfigured" });
  });

  it("shows no concurrency where it is unlimited", () => {
    const { reports } = decideAdmission(standing({ maxConcurrent: 0, held: 99 }), 1, NOW, "take");
    expect(reports.map(({ name }) => name)).toEqual(["tenant"]);
  });
});
