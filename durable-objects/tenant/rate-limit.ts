import type { RatePolicy } from "../../gateway/config.ts";

/**
 * The generic cell rate algorithm: a rate limiter whose whole state is one number, `tat`, the
 * theoretical arrival time of the next request had all come evenly. Microseconds since the epoch,
 * so that every sum is exact.
 */
export const UNUSED_TAT = 0;

export type RateDecision =
  | {
      readonly kind: "allowed";
      /** The state after the request; keeping the old one instead takes nothing. */
      readonly tat: number;
      readonly remaining: number;
      /** Until one more is there; 0 when the whole burst is. */
      readonly nextMs: number;
    }
  | {
      readonly kind: "limited";
      /** To be kept: where the clock went back, the wait is bounded by this. */
      readonly tat: number;
      readonly remaining: number;
      /** Until the same request would be allowed. */
      readonly retryAfterMs: number;
    }
  /** The request costs more than the burst: no waiting helps. */
  | { readonly kind: "never" };

/** Takes `cost` requests at `nowMs`, or says when there are so many; 0 only looks. */
export function takeRate(
  tat: number,
  nowMs: number,
  policy: RatePolicy,
  cost: number,
): RateDecision {
  const { burst } = policy;
  if (cost > burst) return { kind: "never" };
  const interval = intervalOf(policy);
  const tolerance = interval * burst;
  const now = nowMs * 1000;
  // A clock that went back, or a limit that shrank, may cost one burst and never more.
  const base = Math.min(Math.max(tat, now), now + tolerance);
  const next = base + interval * cost;
  const over = next - now - tolerance;
  if (over > 0) {
    const remaining = Math.floor((tolerance - (base - now)) / interval);
    return { kind: "limited", tat: base, remaining, retryAfterMs: Math.ceil(over / 1000) };
  }
  const remaining = Math.floor((tolerance - (next - now)) / interval);
  const nextMs =
    remaining === burst ? 0 : Math.ceil((next - now - (burst - remaining - 1) * interval) / 1000);
  return { kind: "allowed", tat: next, remaining, nextMs };
}

/** Gives back what a request took that was then refused through no doing of its sender. */
export function returnRate(tat: number, policy: RatePolicy, cost: number): number {
  return tat - intervalOf(policy) * cost;
}

/** Rounded up, so that rounding never lets more through than the policy says. */
const intervalOf = ({ windowS, requests }: RatePolicy): number =>
  Math.ceil((windowS * 1_000_000) / requests);
