import { z } from "zod";

/**
 * How a run ended.
 *
 * `failed`: the work threw, or exited non-zero. `expired`: it waited past its queue time and never
 * started. `infra_lost`: the executor vanished under it. All the others but `ok` and `cancelled`
 * name the limit that ended it.
 */
export const Outcome = z.enum([
  "ok",
  "failed",
  "wall_timeout",
  "cpu_timeout",
  "memory_limit",
  "process_limit",
  "output_limit",
  "disk_limit",
  "navigation_failed",
  "cancelled",
  "expired",
  "infra_lost",
]);
export type Outcome = z.infer<typeof Outcome>;

/** Whether the outcome is known. `unknown` only where the executor was lost and cannot be asked. */
export const Certainty = z.enum(["certain", "unknown"]);
export type Certainty = z.infer<typeof Certainty>;

export const Lane = z.enum(["isolate", "browser", "container"]);
export type Lane = z.infer<typeof Lane>;

/**
 * Whether the caller may send the same work again without doing anything outside twice: only when
 * it provably did not start, or when nothing outside (network, artifacts) was granted to it.
 */
export function isRetrySafe(run: {
  readonly started: boolean;
  readonly reachesOutside: boolean;
}): boolean {
  return !run.started || !run.reachesOutside;
}
