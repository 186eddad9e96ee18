import { randomBytes } from "node:crypto";
import type { AddressInfo } from "node:net";

import { readConfig } from "./config.ts";
import { log } from "./log.ts";
import { egressServer } from "./server.ts";

/** A second signal, or a bug, ends the service at once. */
const EXIT_BY_FORCE = 1;

async function main(): Promise<void> {
  const config = readConfig(process.env);
  const bootId = randomBytes(12).toString("hex");
  const server = egressServer(config, bootId);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(config.port, config.host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  const { secrets, ...settings } = config;
  const secretIds = secrets.map(({ id }) => id);
  log("service.listening", { bootId, pid: process.pid, ...settings, port, secretIds });

  let stopping = false;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      if (stopping) process.exit(EXIT_BY_FORCE);
      stopping = true;
      // What is under way ends by its own time limit.
      server.close(() => process.exit(0));
      server.closeIdleConnections();
    });
  }
}

await main().catch((error: unknown) => {
  log("service.not-started", { error: error instanceof Error ? error.message : String(error) });
  process.exit(EXIT_BY_FORCE);
});
