import type { SparePolicy } from "../config.ts";

/** How many spares of one image are wanted, and when one was last asked for. */
export interface SpareDemand {
  readonly wanted: number;
  readonly askedAtMs: number;
}

/** After so long without a question one spare less is wanted, down to the policy's own number. */
export const CALM_MS = 60_000;

export const initialDemand = (policy: SparePolicy): SpareDemand => ({
  wanted: policy.perImage,
  askedAtMs: -Infinity,
});

/** A spare was asked for, and `left` are there after it: the last one gone, one more is wanted from now on. */
export function afterAsk(
  demand: SpareDemand,
  left: number,
  policy: SparePolicy,
  nowMs: number,
): SpareDemand {
  const wanted =
    left === 0 && policy.perImage > 0
      ? Math.min(demand.wanted + 1, policy.perImageMax)
      : demand.wanted;
  return { wanted, askedAtMs: nowMs };
}

/** Time passed: a quiet minute lowers what is wanted by one. */
export function afterCalm(demand: SpareDemand, policy: SparePolicy, nowMs: number): SpareDemand {
  if (demand.wanted <= policy.perImage || nowMs - demand.askedAtMs < CALM_MS) return demand;
  return { wanted: demand.wanted - 1, askedAtMs: nowMs };
}
