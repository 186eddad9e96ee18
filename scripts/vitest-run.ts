import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

import { readCounts } from "./test-report.ts";

export interface VitestRun {
  readonly root: string;
  readonly args: readonly string[];
  /** Where the JSON report is written, once all tests have ended. */
  readonly report: string;
  readonly env: NodeJS.ProcessEnv;
}

const OVERALL_TIMEOUT_MS = 20 * 60_000;

/** Vitest can hang after the last test, on a runtime's late log line; then its report is there. */
const EXIT_TIMEOUT_MS = 30_000;

const POLL_MS = 1_000;

/** Runs the tests and returns the exit code, also when vitest does not end by itself. */
export async function runVitest({ root, args, report, env }: VitestRun): Promise<number> {
  const child = spawn(
    process.execPath,
    [
      join(root, "node_modules/vitest/vitest.mjs"),
      "run",
      "--reporter=default",
      "--reporter=json",
      `--outputFile.json=${report}`,
      ...args,
    ],
    { cwd: root, env, stdio: "inherit" },
  );
  const forward = (signal: NodeJS.Signals) => child.kill(signal);
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, forward);

  const started = Date.now();
  let reportedAt: number | null = null;
  const watch = setInterval(() => {
    const now = Date.now();
    if (reportedAt === null && existsSync(report)) reportedAt = now;
    const isOver = reportedAt !== null && now - reportedAt > EXIT_TIMEOUT_MS;
    if (isOver || now - started > OVERALL_TIMEOUT_MS) child.kill("SIGKILL");
  }, POLL_MS);
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", resolve);
    });
    if (code !== null) return code;
    console.error("Vitest did not end by itself and was killed");
    return readCounts(report)?.failed === 0 ? 0 : 1;
  } finally {
    clearInterval(watch);
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.off(signal, forward);
  }
}
