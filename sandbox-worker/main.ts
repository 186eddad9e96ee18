import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { setPriority } from "node:os";
import { join, resolve } from "node:path";

import { readConfig } from "./config.ts";
import { log } from "./service/log.ts";
import { startService } from "./service/start-service.ts";

const SERVICE_NICENESS = -5;

/** A second signal, or a bug, ends the service at once; the kernel takes its cages along. */
const EXIT_BY_FORCE = 1;

async function main(): Promise<void> {
  const config = readConfig(process.env);
  sparedFromOutOfMemory();
  servedBeforeCages();
  const service = await startService(config, {
    bootId: randomBytes(12).toString("hex"),
    cacheFolder: join(resolve(import.meta.dirname, ".."), "node_modules/.cache/bulkhead"),
    searchPath: process.env["PATH"] ?? "",
  });

  let stopping = false;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      if (stopping) {
        log("service.killed", { signal });
        service.kill();
        process.exit(EXIT_BY_FORCE);
      }
      stopping = true;
      log("service.draining", { signal, timeoutMs: config.drainTimeoutMs });
      void service.stop().then(() => {
        log("service.stopped");
        process.exit(0);
      });
    });
  }
  process.on("uncaughtException", (error) => {
    log("service.broken", { error: error.stack ?? String(error) });
    service.kill();
    process.exit(EXIT_BY_FORCE);
  });
}

/** Where memory is short on the whole machine, a cage goes before the service that replaces it. */
function sparedFromOutOfMemory(): void {
  try {
    writeFileSync("/proc/self/oom_score_adj", "-500");
  } catch {
    // Not Linux, or not allowed: the cages are raised all the same.
  }
}

/**
 * The service's own turns are short, and every cage waits for them: what it wakes up must not take
 * the core from it in the middle of one.
 */
function servedBeforeCages(): void {
  try {
    setPriority(SERVICE_NICENESS);
  } catch {
    // Not allowed: it takes its turns like any.
  }
}

await main().catch((error: unknown) => {
  log("service.not-started", { error: error instanceof Error ? error.message : String(error) });
  process.exit(EXIT_BY_FORCE);
});
