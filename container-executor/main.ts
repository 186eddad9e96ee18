import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";

import { readConfig } from "./config.ts";
import { log } from "./log.ts";
import { startService } from "./start-service.ts";

/** A second signal, or a bug, ends the service at once; what runs is adopted by the next start. */
const EXIT_BY_FORCE = 1;

async function main(): Promise<void> {
  const config = readConfig(process.env);
  sparedFromOutOfMemory();
  const service = await startService(config, randomBytes(12).toString("hex"));

  let stopping = false;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      if (stopping) {
        log("service.killed", { signal });
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
    process.exit(EXIT_BY_FORCE);
  });
}

/** Where memory is short on the whole machine, a container goes before the service that watches it. */
function sparedFromOutOfMemory(): void {
  try {
    writeFileSync("/proc/self/oom_score_adj", "-500");
  } catch {
    // Not Linux, or not allowed: containers are raised all the same.
  }
}

await main().catch((error: unknown) => {
  log("service.not-started", { error: error instanceof Error ? error.message : String(error) });
  process.exit(EXIT_BY_FORCE);
});
