import { describe, expect, test } from "vitest";

import { latencyOf, median, percentile, spreadOf } from "../../bench/statistics.ts";

describe("percentile", () => {
  test.each([
    [0.5, 50],
    [0.9, 90],
    [0.99, 99],
    [1, 100],
  ])("at %d is the value that this share lies at or below", (share, value) => {
    const sorted = Array.from({ length: 100 }, (_, at) => at + 1);
    expect(percentile(sorted, share)).toBe(value);
  });

  test("of one value is that value", () => {
    expect(percentile([7], 0.01)).toBe(7);
  });

  test("of nothing is refused", () => {
    expect(() => percentile([], 0.5)).toThrow(RangeError);
  });
});

test("latencies are sorted as numbers", () => {
  expect(latencyOf(Float64Array.from([100, 9, 20]))).toEqual({
    count: 3,
    p50: 20,
    p90: 100,
    p99: 100,
  });
});

describe("median", () => {
  test("of an odd number is the middle one", () => {
    expect(median([10, 1, 9])).toBe(9);
  });

  test("of an even number is the mean of the two in the middle", () => {
    expect(median([4, 1, 3, 2])).toBe(2.5);
  });

  test("of nothing is refused", () => {
    expect(() => median([])).toThrow(RangeError);
  });
});

test("a spread has its ends beside its median", () => {
  expect(spreadOf([3, 1, 2])).toEqual({ median: 2, low: 1, high: 3 });
});
