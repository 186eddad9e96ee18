/** How long the calls of one measurement took, in milliseconds. */
export interface Latency {
  readonly count: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
}

/**
 * The value that a share of a sorted list lies at or below (nearest rank).
 *
 * @throws {RangeError} Where the list is empty: nothing was measured, and 0 would be a lie.
 */
export function percentile(sorted: ArrayLike<number>, share: number): number {
  const rank = Math.max(1, Math.ceil(share * sorted.length));
  const value = sorted[rank - 1];
  if (value === undefined) throw new RangeError("Cannot take a percentile: the list is empty");
  return value;
}

export function latencyOf(milliseconds: Float64Array): Latency {
  const sorted = milliseconds.toSorted();
  return {
    count: sorted.length,
    p50: percentile(sorted, 0.5),
    p90: percentile(sorted, 0.9),
    p99: percentile(sorted, 0.99),
  };
}

/**
 * The middle one, or the mean of the two in the middle.
 *
 * @throws {RangeError} Where the list is empty.
 */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.ceil(sorted.length / 2) - 1];
  if (upper === undefined || lower === undefined) {
    throw new RangeError("Cannot take a median: the list is empty");
  }
  return (lower + upper) / 2;
}

/** A median and the two ends of what it is the median of. */
export interface Spread {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

export function spreadOf(values: readonly number[]): Spread {
  return { median: median(values), low: Math.min(...values), high: Math.max(...values) };
}
