import type { LaneState, QueuedLane, TenantQueueView } from "../../durable-objects/job-contract.ts";
import type { QueueAnswer } from "../../protocol/job.ts";

/** A lane as it stands; undefined where it cannot be asked now. */
export type LaneStates = Readonly<Partial<Record<QueuedLane, LaneState | undefined>>>;

/**
 * A tenant's part of the queue, and how full the lanes are with all tenants together.
 *
 * Of other tenants it tells sums alone. A lane that cannot be asked is left out.
 */
export function queueAnswer(
  { lanes, maxConcurrency }: TenantQueueView,
  states: LaneStates,
): QueueAnswer {
  const own = Object.values(lanes);
  const running = own.reduce((sum, lane) => sum + lane.running, 0);
  const queued = own.reduce((sum, lane) => sum + lane.queued, 0);
  const told = Object.entries(states).flatMap(([name, state]) => {
    if (state === undefined) return [];
    const { slotsTaken, slots, recommendedConcurrency, canIncreaseConcurrency } = state;
    const lane = {
      running: lanes[name]?.running ?? 0,
      queued: lanes[name]?.queued ?? 0,
      slotsTaken,
      maxConcurrency: slots,
      utilizationPercent: percentOf(slotsTaken, slots),
      recommendedConcurrency,
      canIncreaseConcurrency,
    };
    return [[name, lane] as const];
  });
  return {
    running,
    queued,
    maxConcurrency,
    utilizationPercent: percentOf(running, maxConcurrency),
    lanes: Object.fromEntries(told),
  };
}

/** Of what is unlimited nothing is used up; of nothing, all. */
function percentOf(taken: number, most: number | null): number {
  if (most === null) return 0;
  return most === 0 ? 100 : Math.round((taken / most) * 1_000) / 10;
}
