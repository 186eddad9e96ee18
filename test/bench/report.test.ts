import { describe, expect, test } from "vitest";

import { middleOf, ratioOf, type Result } from "../../bench/contest.ts";
import { withResults } from "../../bench/readme-block.ts";
import { linesOf, type Report, sentenceOf } from "../../bench/report.ts";

const result = (name: string, ...p50s: number[]): Result => ({
  name,
  load: { kind: "closed", callers: 1, seconds: 1 },
  rounds: p50s.map((p50) => ({
    count: 10,
    p50,
    p90: p50 * 2,
    p99: p50 * 3,
    perSecond: 1000 / p50,
    cpuUs: 100,
    clientCpuUs: null,
    lateMs: 0,
    spans: { runMs: p50 / 2 },
    spanTails: { runMs: p50 * 2 },
  })),
});

test("the middle of a result is the median of each figure", () => {
  expect(middleOf(result("ours", 3, 1, 2))).toMatchObject({
    p50: 2,
    p90: 4,
    spans: { runMs: 1 },
    spanTails: { runMs: 4 },
  });
});

test("a ratio is taken within each round", () => {
  // Both are ten times slower in the second round; their ratio is not.
  const ratio = ratioOf(result("ours", 1, 10, 2), result("peer", 2, 20, 8), ({ p50 }) => p50);
  expect(ratio).toEqual({ median: 0.5, low: 0.25, high: 0.5 });
});

describe("a finding", () => {
  const finding = { what: "p50", unit: "x", value: { median: 0.6, low: 0.4, high: 0.7 } } as const;

  test("says when its goal is missed", () => {
    const text = sentenceOf({ ...finding, goal: { at: "most", bound: 0.5 } });
    expect(text).toBe("p50: 0.60 x (0.40 to 0.70)  goal at most 0.5: MISSED");
  });

  test("says when it is reached, the bound itself included", () => {
    expect(sentenceOf({ ...finding, goal: { at: "most", bound: 0.6 } })).toContain("reached");
    expect(sentenceOf({ ...finding, goal: { at: "least", bound: 0.6 } })).toContain("reached");
  });
});

const section = {
  suite: "latency",
  title: "Latency",
  results: [result("ours", 1)],
  findings: [
    { what: "p50", unit: "ms", value: { median: 1, low: 1, high: 1 }, goal: null },
  ] as const,
  notes: ["a note"],
};

test("every row of a report in doubt bears the mark", () => {
  const rows = linesOf(section, true).slice(0, -section.notes.length);
  expect(rows.every((row) => row.startsWith("! "))).toBe(true);
});

describe("the README's results", () => {
  const report: Report = {
    machine: { cpu: "c", cores: 2, memoryGib: 4, node: "24", v8: "13", date: "2026-11-22" },
    usableCores: { before: 2, after: 2 },
    rounds: 5,
    doubts: [],
    sections: [section],
    notMeasured: [],
  };
  const readme = `before
<!-- results of queue: written by the bench, --write-readme -->
another lane's
<!-- end of results of queue -->
<!-- results of isolate: written by the bench, --write-readme -->
old
<!-- end of results of isolate -->
after
`;

  test("replace the old ones and leave the rest alone", () => {
    const written = withResults(readme, "isolate", report);
    expect(written).toMatch(/^before\n/);
    expect(written).toMatch(/\nafter\n$/);
    expect(written).toContain("#### Latency");
    expect(written).toContain("\nanother lane's\n");
    expect(written).not.toContain("old");
    expect(withResults(written, "isolate", report)).toBe(written);
  });

  test("need a place to go to", () => {
    expect(() => withResults(readme, "api", report)).toThrow("no block");
  });
});
