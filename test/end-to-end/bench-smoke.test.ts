import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";

import { expect, test } from "vitest";

const root = join(import.meta.dirname, "../..");

test("a quick look at the bench prints a marked row for each contender and each goal", async () => {
  const args = ["isolate", "--quick", "--anyway", "--only", "latency"];
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [join(root, "bench/main.ts"), ...args],
    { cwd: root },
  );
  expect(stdout).toMatch(/usable cores \d\.\d\d before/);
  expect(stdout).toMatch(/^! Bulkhead, isolation run.* open 20\/s /m);
  expect(stdout).toMatch(/^! bare isolated-vm, fresh isolate on demand.* open 100\/s /m);
  expect(stdout).toMatch(/^! p50 at 20\/s.*goal at most 0\.5: (reached|MISSED)$/m);
  expect(stdout).toMatch(/^! p99 at 100\/s.*goal at most 1: (reached|MISSED)$/m);
  expect(stdout).not.toContain("Not measured");
});
