import type { ExecutorAddress } from "../job-contract.ts";

/** An executor as the lane sees it. */
export interface ExecutorSlots {
  readonly address: ExecutorAddress;
  readonly running: number;
  /** Infinity is unlimited. */
  readonly slots: number;
  readonly avoidedUntil: number;
}

/** The least loaded executor that has a free slot and takes work; the first among equals. */
export function chooseExecutor(
  executors: readonly ExecutorSlots[],
  now: number,
): ExecutorSlots | undefined {
  let best: ExecutorSlots | undefined;
  for (const executor of executors) {
    if (executor.running >= executor.slots || executor.avoidedUntil > now) continue;
    if (best === undefined || loadOf(executor) < loadOf(best)) best = executor;
  }
  return best;
}

/** Where slots are unlimited, by count; else by how much of them is taken. */
const loadOf = ({ running, slots }: ExecutorSlots): number =>
  slots === Infinity ? running : running / slots;

/** How many slots an executor has: as set, or as it recommends where that is to be followed. */
export function slotsOf(
  configured: number,
  recommended: number | undefined,
  isAdaptive: boolean,
): number {
  if (isAdaptive && recommended !== undefined) return Math.max(1, recommended);
  return configured === 0 ? Infinity : configured;
}
