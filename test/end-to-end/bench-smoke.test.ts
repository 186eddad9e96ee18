import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";

import { expect, test } from "vitest";

const root = join(import.meta.dirname, "../..");

/** What a short look at one suite prints. */
async function quickLook(lane: string, suite: string): Promise<string> {
  const args = [lane, "--quick", "--anyway", "--only", suite];
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [join(root, "bench/main.ts"), ...args],
    { cwd: root },
  );
  return stdout;
}

test("a quick look at the bench prints a marked row for each contender and each goal", async () => {
  const stdout = await quickLook("isolate", "latency");
  expect(stdout).toMatch(/usable cores \d\.\d\d before/);
  expect(stdout).toMatch(/^! Bulkhead, isolation run.* open 20\/s /m);
  expect(stdout).toMatch(/^! bare isolated-vm, fresh isolate on demand.* open 100\/s /m);
  expect(stdout).toMatch(/^! p50 at 20\/s.*goal at most 0\.5: (reached|MISSED)$/m);
  expect(stdout).toMatch(/^! p99 at 100\/s.*goal at most 1: (reached|MISSED)$/m);
  expect(stdout).not.toContain("Not measured");
});

test("a quick look at a full queue prints each route's tail", async () => {
  const stdout = await quickLook("api", "routes");
  for (const route of ["POST /v1/jobs", "GET /v1/jobs/{id}", "GET /v1/jobs", "GET /v1/queue"]) {
    expect(stdout).toContain(`\n! p99, ${route}: `);
  }
  expect(stdout).not.toContain("Not measured");
});
