import { describe, expect, it } from "vitest";

import {
  certaintyOf,
  decideStart,
  decideWatch,
  retryDelayMs,
} from "../../../durable-objects/job/job-state.ts";
import { SIGNATURE_WINDOW_MS } from "../../../protocol/signature.ts";

const LEASE_MS = 60_000;
const NOW = 1_000_000;
const busy = { kind: "busy", refusal: "full", retryAfterMs: 500 } as const;
const mayHave = { kind: "unreachable", mayHaveArrived: true } as const;
const cannotHave = { kind: "unreachable", mayHaveArrived: false } as const;

describe("decideStart()", () => {
  const decide = (answer: Parameters<typeof decideStart>[1], doubtSince: number | null = null) =>
    decideStart({ doubtSince }, answer, NOW, LEASE_MS);

  it("runs what was taken, in doubt or not", () => {
    expect(decide({ kind: "taken" })).toEqual({ kind: "run" });
    expect(decide({ kind: "taken" }, NOW - 1)).toEqual({ kind: "run" });
  });

  it("gives back what provably did not begin", () => {
    expect(decide(busy)).toEqual({ kind: "not_taken", retryAfterMs: 500 });
    expect(decide(cannotHave)).toMatchObject({ kind: "not_taken" });
  });

  it("asks again where an order may have arrived, until its lease is over", () => {
    expect(decide(mayHave)).toEqual({ kind: "again", doubtSince: NOW });
    expect(decide(cannotHave, NOW - LEASE_MS + 1)).toMatchObject({ kind: "again" });
    expect(decide(cannotHave, NOW - LEASE_MS)).toEqual({
      kind: "lost",
      loss: { kind: "unreachable" },
    });
  });

  it("believes a refusal only once no earlier order can be taken any more", () => {
    const since = NOW - SIGNATURE_WINDOW_MS;
    expect(decide(busy, since + 1)).toEqual({ kind: "again", doubtSince: since + 1 });
    expect(decide(busy, since)).toEqual({ kind: "not_taken", retryAfterMs: 500 });
  });

  it("ends what can never run", () => {
    const refusal = { code: "image_missing", detail: "no image" } as const;
    expect(decide({ kind: "refused", refusal })).toEqual({ kind: "refused", refusal });
  });
});

describe("decideWatch()", () => {
  const cancel = { kind: "cancel", reason: "asked for" } as const;
  const decide = (
    answer: Parameters<typeof decideWatch>[1],
    phase: Partial<Parameters<typeof decideWatch>[0]> = {},
  ) => decideWatch({ renewedAt: NOW, stop: null, ...phase }, answer, NOW, LEASE_MS);

  it("attaches again after a cut, and while the run may still live out of reach", () => {
    expect(decide({ kind: "cut" })).toEqual({ kind: "attach" });
    expect(decide({ kind: "unreachable" }, { renewedAt: NOW - LEASE_MS + 1 })).toEqual({
      kind: "attach",
    });
  });

  it("loses a run whose lease is over out of reach, and cannot say how it ended", () => {
    const decision = decide({ kind: "unreachable" }, { renewedAt: NOW - LEASE_MS });
    expect(decision).toEqual({ kind: "lost", loss: { kind: "unreachable" } });
    expect(certaintyOf({ kind: "unreachable" })).toBe("unknown");
  });

  it("loses for certain a run that its executor does not know", () => {
    expect(decide({ kind: "unknown" })).toEqual({ kind: "lost", loss: { kind: "unknown_there" } });
    expect(certaintyOf({ kind: "unknown_there" })).toBe("certain");
  });

  it("kills a run whose executor is silent", () => {
    const silent = { kind: "silent", limitMs: 300_000 } as const;
    expect(decide(silent)).toEqual({ kind: "kill", stop: silent });
    expect(decide(silent, { stop: cancel })).toEqual({ kind: "kill", stop: cancel });
  });

  it("calls a run that was to be cancelled and is gone cancelled", () => {
    expect(decide({ kind: "unknown" }, { stop: cancel })).toEqual({
      kind: "cancelled",
      certainty: "certain",
      reason: "asked for",
    });
    expect(
      decide({ kind: "unreachable" }, { stop: cancel, renewedAt: NOW - LEASE_MS }),
    ).toMatchObject({ kind: "cancelled", certainty: "unknown" });
  });
});

it("retries soon at first, and never later than after five seconds", () => {
  expect([1, 2, 3].map(retryDelayMs)).toEqual([200, 400, 800]);
  expect(retryDelayMs(1_000)).toBe(5_000);
});
