import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

import { NonceMemory } from "../executor-http/nonce-memory.ts";
import { MacCheck } from "../executor-http/signature-check.ts";
import type { ContainerConfig } from "./config.ts";
import { containerServer } from "./http/server.ts";
import { ContainerLane } from "./lane.ts";
import { log } from "./log.ts";
import { Metrics } from "./metrics.ts";
import { openStateFolder } from "./state-folder.ts";

export interface Service {
  readonly port: number;
  /** Drains, then lets go of what still runs, for the next start to adopt. Resolves once nothing listens. */
  stop(): Promise<void>;
}

/** Listens, and brings the lane up behind. `bootId` is new with each start: what was signed for another is refused. */
export async function startService(config: ContainerConfig, bootId: string): Promise<Service> {
  const metrics = new Metrics();
  const state = openStateFolder(config.stateFolder);
  const lane = new ContainerLane(config, state, bootId, metrics);
  const server = containerServer({
    config,
    bootId,
    lane,
    macs: new MacCheck(config.secrets, new NonceMemory()),
    metrics,
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(config.port, config.host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  const { secrets, engine, ...limits } = config;
  log("service.listening", {
    bootId,
    pid: process.pid,
    ...limits,
    port,
    executorId: state.executorId,
    engine: engine.kind === "socket" ? engine.path : `${engine.host}:${engine.port}`,
    secretIds: secrets.map(({ id }) => id),
  });
  const opening = lane.open();

  return {
    port,
    stop: async () => {
      await opening;
      lane.drain(false);
      await Promise.race([
        lane.runs?.idle(),
        sleep(config.drainTimeoutMs, undefined, { ref: false }),
      ]);
      await lane.close();
      server.close();
      server.closeAllConnections();
    },
  };
}
