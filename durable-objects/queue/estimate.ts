import type { LaneView } from "../job-contract.ts";

/** What a job's wait is estimated by. */
export interface WaitFacts {
  /** From 1, among its tenant's jobs. */
  readonly position: number;
  readonly running: number;
  /** Infinity is unlimited. */
  readonly maxConcurrent: number;
  /** Until the job may start at all. */
  readonly untilEligibleMs: number;
}

/**
 * How long a job waits for its slot, if jobs go on as they did lately and each tenant with work
 * gets an equal part; null where no job has ended lately.
 */
export function estimateWaitMs(facts: WaitFacts, view: LaneView | undefined): number | null {
  const { position, running, maxConcurrent, untilEligibleMs } = facts;
  if (view === undefined) return null;
  const slots = view.slots ?? Infinity;
  const isFree = view.slotsTaken + position <= slots && running + position <= maxConcurrent;
  if (isFree) return untilEligibleMs;
  if (view.usualMs === null || slots === 0 || maxConcurrent === 0) return null;
  const share = Math.max(1, Math.min(slots / Math.max(1, view.tenants), maxConcurrent));
  return Math.max(untilEligibleMs, Math.round(Math.ceil(position / share) * view.usualMs));
}
