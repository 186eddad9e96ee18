import { describe, expect, it } from "vitest";

import { returnRate, takeRate, UNUSED_TAT } from "../../../durable-objects/tenant/rate-limit.ts";

/** Ten a second, five at once. */
const policy = { requests: 600, windowS: 60, burst: 5 };
const T0 = 1_800_000_000_000;

/** Takes one request after another at the same time and counts those let in. */
function takeAll(tat: number, now: number, wishes: number, limit = policy): [number, number] {
  let admitted = 0;
  let state = tat;
  for (let i = 0; i < wishes; i++) {
    const decision = takeRate(state, now, limit, 1);
    if (decision.kind !== "allowed") continue;
    state = decision.tat;
    admitted++;
  }
  return [state, admitted];
}

describe("takeRate()", () => {
  it("lets a burst in at once, and then one for each interval", () => {
    const [full, burst] = takeAll(UNUSED_TAT, T0, 20);
    expect(burst).toBe(5);
    expect(takeAll(full, T0 + 99, 20)[1]).toBe(0);
    expect(takeAll(full, T0 + 100, 20)[1]).toBe(1);
    expect(takeAll(full, T0 + 1_000, 20)[1]).toBe(5);
  });

  it("says when the same request would be let in, to the millisecond", () => {
    const [full] = takeAll(UNUSED_TAT, T0, 5);
    const refused = takeRate(full, T0 + 30, policy, 3);
    expect(refused).toMatchObject({ kind: "limited", remaining: 0, retryAfterMs: 270 });
    expect(takeRate(full, T0 + 299, policy, 3).kind).toBe("limited");
    expect(takeRate(full, T0 + 300, policy, 3).kind).toBe("allowed");
  });

  it("tells what remains, and when there is one more", () => {
    expect(takeRate(UNUSED_TAT, T0, policy, 2)).toMatchObject({ remaining: 3, nextMs: 100 });
    expect(takeRate(UNUSED_TAT, T0, policy, 0)).toMatchObject({ remaining: 5, nextMs: 0 });
  });

  it("takes nothing for a cost of 0", () => {
    const [full] = takeAll(UNUSED_TAT, T0, 5);
    expect(takeRate(full, T0, policy, 0)).toMatchObject({ kind: "allowed", tat: full });
  });

  it("never lets in what costs more than the burst, and promises no time", () => {
    expect(takeRate(UNUSED_TAT, T0, policy, 6)).toEqual({ kind: "never" });
  });

  it("grants nothing when the clock goes back, and recovers within one burst", () => {
    const [full] = takeAll(UNUSED_TAT, T0, 5);
    const back = takeRate(full, T0 - 3_600_000, policy, 1);
    expect(back).toMatchObject({ kind: "limited", retryAfterMs: 100 });
    if (back.kind !== "limited") throw new Error("the clock granted a request");
    expect(takeAll(back.tat, T0 - 3_600_000 + 500, 20)[1]).toBe(5);
  });

  it.each([1, 7, 333, 600, 100_000])("holds %i requests a minute over any minute", (requests) => {
    const limit = { requests, windowS: 60, burst: 3 };
    let tat = UNUSED_TAT;
    let now = T0;
    const times: number[] = [];
    let seed = requests;
    for (let i = 0; i < 3_000; i++) {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      now += seed % Math.ceil(120_000 / requests);
      const decision = takeRate(tat, now, limit, 1);
      if (decision.kind !== "allowed") continue;
      tat = decision.tat;
      times.push(now);
    }
    let first = 0;
    times.forEach((time, last) => {
      while ((times[first] ?? 0) <= time - 60_000) first++;
      expect(last - first + 1).toBeLessThanOrEqual(requests + limit.burst);
    });
  });
});

it("returnRate() gives back exactly what was taken", () => {
  const first = takeRate(UNUSED_TAT, T0, policy, 1);
  if (first.kind !== "allowed") throw new Error("refused");
  const second = takeRate(first.tat, T0, policy, 3);
  if (second.kind !== "allowed") throw new Error("refused");
  expect(returnRate(second.tat, policy, 3)).toBe(first.tat);
});
