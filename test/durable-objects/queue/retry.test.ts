import { describe, expect, it } from "vitest";

import type { RunSettlement } from "../../../durable-objects/job-contract.ts";
import {
  afterRun,
  LOST_BACKOFF_MAX_MS,
  RETRY_BACKOFF_MAX_MS,
  type RetryState,
} from "../../../durable-objects/queue/retry.ts";
import { RetryRequest } from "../../../protocol/job.ts";

type Ended = Extract<RunSettlement["end"], { kind: "ended" }>;

const end = (changes: Partial<Ended> = {}): Ended => ({
  kind: "ended",
  outcome: "ok",
  certainty: "certain",
  cpuMs: 0,
  wallMs: 0,
  lost: false,
  ...changes,
});

const state = (
  retry: Partial<RetryRequest> = {},
  changes: Partial<RetryState> = {},
): RetryState => ({
  retry: RetryRequest.parse(retry),
  used: { retries: 0, losses: 0 },
  cancelReason: null,
  ...changes,
});

const lost = end({ outcome: "infra_lost", certainty: "unknown", lost: true });
const failed = end({ outcome: "failed" });

describe("what the platform lost", () => {
  it("runs again as often as onLost says, then is dead", () => {
    expect(afterRun(state({ onLost: 2 }), lost, 0, 1)).toMatchObject({ kind: "again" });
    const used = { retries: 0, losses: 2 };
    expect(afterRun(state({ onLost: 2 }, { used }), lost, 0, 1)).toEqual({
      kind: "final",
      state: "dead",
      reason: "the platform lost its runs, 3 times",
    });
  });

  it("is dead at once where repeats are off", () => {
    expect(afterRun(state({ onLost: 0 }), lost, 0, 1)).toEqual({
      kind: "final",
      state: "dead",
      reason: "the platform lost its run",
    });
  });

  it("waits twice as long each time, up to the most, spread over all of it", () => {
    const at = (losses: number, random: number) => {
      const after = afterRun(
        state({ onLost: 10 }, { used: { retries: 0, losses } }),
        lost,
        1_000,
        random,
      );
      return after.kind === "again" ? after.at - 1_000 : Number.NaN;
    };
    expect([at(0, 1), at(1, 1), at(2, 1), at(9, 1)]).toEqual([
      1_000,
      2_000,
      4_000,
      LOST_BACKOFF_MAX_MS,
    ]);
    expect([at(2, 0), at(2, 0.5)]).toEqual([0, 2_000]);
  });

  it("costs none of the user's own retries", () => {
    const after = afterRun(state({ attempts: 1 }), lost, 0, 1);
    expect(after).toMatchObject({ used: { retries: 0, losses: 1 } });
  });
});

describe("the user's own failures", () => {
  it("are final unless a retry was asked for", () => {
    expect(afterRun(state(), failed, 0, 1)).toEqual({ kind: "final", state: "done", reason: null });
  });

  it("are tried again for the outcomes that were named, as often as was asked", () => {
    const retry = { attempts: 1, on: ["memory_limit" as const] };
    const memory = end({ outcome: "memory_limit" });
    expect(afterRun(state(retry), failed, 0, 1).kind).toBe("final");
    expect(afterRun(state(retry), memory, 0, 1).kind).toBe("again");
    const used = { retries: 1, losses: 0 };
    expect(afterRun(state(retry, { used }), memory, 0, 1).kind).toBe("final");
  });

  it("wait from half of to all of their backoff, which doubles up to an hour", () => {
    const retry = { attempts: 10, backoffMs: 1_000_000 };
    const at = (retries: number, random: number) => {
      const after = afterRun(state(retry, { used: { retries, losses: 0 } }), failed, 0, random);
      return after.kind === "again" ? after.at : Number.NaN;
    };
    expect([at(0, 0), at(0, 1), at(1, 1), at(5, 1)]).toEqual([
      500_000,
      1_000_000,
      2_000_000,
      RETRY_BACKOFF_MAX_MS,
    ]);
  });
});

describe("a job that was cancelled", () => {
  const cancelled = { cancelReason: "its owner asked for it" };

  it.each([
    ["was ended by it", end({ outcome: "cancelled" }), "cancelled"],
    ["was lost meanwhile", lost, "cancelled"],
    ["ended by itself before", end(), "done"],
    ["failed by itself before, and is not tried again", failed, "done"],
  ] as const)("whose run %s", (_, ended, expected) => {
    const after = afterRun(state({ attempts: 5 }, cancelled), ended, 0, 1);
    expect(after).toMatchObject({ kind: "final", state: expected });
  });
});
