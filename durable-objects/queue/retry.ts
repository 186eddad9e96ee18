import type { RetryRequest } from "../../protocol/job.ts";
import type { RunSettlement } from "../job-contract.ts";

/** Before a lost run's first repeat; doubles with each up to the most. */
const LOST_BACKOFF_MS = 1_000;
export const LOST_BACKOFF_MAX_MS = 60_000;
export const RETRY_BACKOFF_MAX_MS = 3_600_000;

/** What a job has had of its repeats. */
export interface RetriesUsed {
  readonly retries: number;
  readonly losses: number;
}

/** What follows a run's end. */
export type AfterRun =
  | {
      readonly kind: "final";
      readonly state: "done" | "cancelled" | "dead";
      readonly reason: string | null;
    }
  | { readonly kind: "again"; readonly at: number; readonly used: RetriesUsed };

/** A wait before a job runs again; nothing of it counts as the executor's or the user's. */
export interface RetryState {
  readonly retry: RetryRequest;
  readonly used: RetriesUsed;
  /** Set once somebody asked for the job's end. */
  readonly cancelReason: string | null;
}

/**
 * Decides what follows a run that ended. What the platform lost runs again by a count of its own,
 * so a loss never costs a retry that the user asked for. Who cancelled a job gets no repeat.
 *
 * @param random - From 0 to 1; spreads repeats, so that what failed together does not return together.
 */
export function afterRun(
  { retry, used, cancelReason }: RetryState,
  end: Extract<RunSettlement["end"], { kind: "ended" }>,
  now: number,
  random: number,
): AfterRun {
  if (end.outcome === "cancelled" || (end.lost && cancelReason !== null)) {
    return { kind: "final", state: "cancelled", reason: cancelReason };
  }
  if (end.lost) {
    if (used.losses >= retry.onLost)
      return { kind: "final", state: "dead", reason: lostReason(used.losses + 1) };
    const most = doubled(LOST_BACKOFF_MS, used.losses, LOST_BACKOFF_MAX_MS);
    return { kind: "again", at: now + most * random, used: { ...used, losses: used.losses + 1 } };
  }
  const mayRetry =
    cancelReason === null && used.retries < retry.attempts && retry.on.includes(end.outcome);
  if (!mayRetry) return { kind: "final", state: "done", reason: null };
  const most = doubled(retry.backoffMs, used.retries, RETRY_BACKOFF_MAX_MS);
  const at = now + most * (0.5 + random / 2);
  return { kind: "again", at, used: { ...used, retries: used.retries + 1 } };
}

const doubled = (firstMs: number, times: number, mostMs: number): number =>
  Math.min(firstMs * 2 ** times, mostMs);

const lostReason = (times: number): string =>
  times === 1 ? "the platform lost its run" : `the platform lost its runs, ${times} times`;
