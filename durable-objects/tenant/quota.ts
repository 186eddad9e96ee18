import type { QuotaPolicy } from "../../gateway/config.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

/** The UTC day of a moment, as `2026-11-22`. */
export const dayOf = (now: number): string => new Date(now).toISOString().slice(0, 10);

/** Until the next UTC day begins. */
export const untilNextDayMs = (now: number): number => DAY_MS - (now % DAY_MS);

/** What a tenant has used today, on all lanes. */
export interface UsedToday {
  readonly runs: number;
  readonly cpuMs: number;
}

/** One quota as it stands. */
export interface QuotaState {
  readonly name: "runs-per-day" | "cpu-ms-per-day";
  readonly limit: number;
  readonly remaining: number;
}

/**
 * The quotas that a tenant has, each with what is left of it.
 *
 * CPU counts when a run ends, so the runs under way may go over by their own limits.
 */
export function quotaStates(used: UsedToday, policy: QuotaPolicy): readonly QuotaState[] {
  const states: QuotaState[] = [];
  const { runsPerDay, cpuMsPerDay } = policy;
  if (runsPerDay !== undefined) {
    const remaining = Math.max(0, runsPerDay - used.runs);
    states.push({ name: "runs-per-day", limit: runsPerDay, remaining });
  }
  if (cpuMsPerDay !== undefined) {
    const remaining = Math.max(0, Math.floor(cpuMsPerDay - used.cpuMs));
    states.push({ name: "cpu-ms-per-day", limit: cpuMsPerDay, remaining });
  }
  return states;
}
