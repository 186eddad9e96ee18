import { readFileSync } from "node:fs";

import { z } from "zod";

const Report = z.object({
  numPassedTests: z.number(),
  numFailedTests: z.number(),
  numPendingTests: z.number(),
  numTodoTests: z.number(),
  testResults: z.array(
    z.object({ status: z.string(), assertionResults: z.array(z.object({ status: z.string() })) }),
  ),
});

export interface TestCounts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** What vitest's JSON report counts, or null when it wrote none. */
export function readCounts(path: string): TestCounts | null {
  try {
    return countTests(JSON.parse(readFileSync(path, "utf8")));
  } catch {
    return null;
  }
}

/** Counts a report. A file that could not even be loaded has no tests, and is one failure. */
export function countTests(json: unknown): TestCounts {
  const report = Report.parse(json);
  const broken = report.testResults.filter(({ status, assertionResults }) => {
    return status === "failed" && !assertionResults.some((test) => test.status === "failed");
  });
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + broken.length,
    skipped: report.numPendingTests + report.numTodoTests,
  };
}

/** The line that a test command ends with. It never says that nothing failed when something did. */
export function closingLine(counts: TestCounts | null, exitCode: number): string {
  const { passed, failed, skipped } = counts ?? { passed: 0, failed: 0, skipped: 0 };
  const line = `${passed} passed, ${exitCode === 0 ? failed : Math.max(failed, 1)} failed`;
  return skipped === 0 ? line : `${line}, ${skipped} skipped`;
}
