import { describe, expect, it } from "vitest";

import { closingLine, countTests, readCounts } from "../../scripts/test-report.ts";

const report = (over: object) => ({
  numPassedTests: 3,
  numFailedTests: 0,
  numPendingTests: 0,
  numTodoTests: 0,
  testResults: [],
  ...over,
});

describe("countTests()", () => {
  it("counts what passed, failed and was left out", () => {
    const counts = countTests(report({ numFailedTests: 1, numPendingTests: 2, numTodoTests: 1 }));
    expect(counts).toEqual({ passed: 3, failed: 1, skipped: 3 });
  });

  it("counts a file that could not be loaded as one failure", () => {
    const testResults = [
      { status: "failed", assertionResults: [] },
      { status: "failed", assertionResults: [{ status: "failed" }] },
    ];
    expect(countTests(report({ numFailedTests: 1, testResults })).failed).toBe(2);
  });
});

describe("closingLine()", () => {
  it("leaves out what there is none of", () => {
    expect(closingLine({ passed: 3, failed: 0, skipped: 0 }, 0)).toBe("3 passed, 0 failed");
    expect(closingLine({ passed: 3, failed: 1, skipped: 2 }, 1)).toBe(
      "3 passed, 1 failed, 2 skipped",
    );
  });

  it("never says that nothing failed when something did", () => {
    expect(closingLine({ passed: 3, failed: 0, skipped: 0 }, 1)).toBe("3 passed, 1 failed");
    expect(closingLine(readCounts("/no/such/report"), 1)).toBe("0 passed, 1 failed");
  });
});
