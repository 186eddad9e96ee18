import { accessSync, constants, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { NonceMemory } from "../../executor-http/nonce-memory.ts";
import { MacCheck } from "../../executor-http/signature-check.ts";
import type { SandboxConfig } from "../config.ts";
import { CageFactory } from "./cages/cage-factory.ts";
import { cageProgram, findWallTools, probeProgram } from "./cages/cage-program.ts";
import { CageUids } from "./cages/cage-uids.ts";
import { RUNTIMES } from "./http/runtimes.ts";
import { sandboxServer } from "./http/server.ts";
import { TakenRuns } from "./http/taken-runs.ts";
import { log } from "./log.ts";
import { Metrics } from "./metrics.ts";
import { Pool } from "./pool/pool.ts";
import { openMemoryWall } from "./walls/memory/open-memory-wall.ts";
import { raiseWalls } from "./walls/raise-walls.ts";

export interface Service {
  readonly port: number;
  /** Drains, then ends everything. Resolves once no cage lives and nothing listens. */
  stop(): Promise<void>;
  /** Kills every cage, without waiting for their ends. */
  kill(): void;
}

export interface ServiceStart {
  /** New with each start: what was signed for another is refused. */
  readonly bootId: string;
  /** Where the guest runtime's bundle is kept. */
  readonly cacheFolder: string;
  /** Where programs are looked for, as in `PATH`. */
  readonly searchPath: string;
}

/** Raises the walls, starts the first cages and listens. Throws where it cannot, saying why. */
export async function startService(config: SandboxConfig, start: ServiceStart): Promise<Service> {
  const { bootId } = start;
  const bundles = bundleFolder(start.cacheFolder);
  const program = await cageProgram(bundles.path);
  const memory = await openMemoryWall();
  const { walls, protections } = await raiseWalls({
    probe: probeProgram(),
    tools: findWallTools(start.searchPath),
    memory,
    uidBase: config.uidBase,
    allowReduced: config.allowReduced,
  });
  const metrics = new Metrics();
  const factory = new CageFactory(program, walls, new CageUids(config.uidBase));
  const pool = new Pool({
    policy: config.pool,
    allowPrivateHosts: config.allowPrivateHosts,
    factory,
    metrics,
  });
  const macs = new MacCheck(config.secrets, new NonceMemory());
  const server = sandboxServer({
    config,
    bootId,
    pool,
    macs,
    taken: new TakenRuns(),
    metrics,
    protections,
    runtimes: RUNTIMES,
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(config.port, config.host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  const { secrets, ...limits } = config;
  log("service.listening", {
    bootId,
    pid: process.pid,
    ...limits,
    port,
    secretIds: secrets.map(({ id }) => id),
    memory: walls.memory.kind,
    protections,
  });

  return {
    port,
    kill: () => {
      pool.kill();
    },
    stop: async () => {
      await Promise.race([pool.drain(), sleep(config.drainTimeoutMs, undefined, { ref: false })]);
      await pool.close();
      server.close();
      server.closeAllConnections();
      factory.close();
      await walls.memory.close();
      bundles.remove();
    },
  };
}

/** Where bundles can be written: beside the packages, else in a folder of this life alone. */
function bundleFolder(wanted: string): { readonly path: string; readonly remove: () => void } {
  try {
    mkdirSync(wanted, { recursive: true });
    accessSync(wanted, constants.W_OK);
    return { path: wanted, remove: () => {} };
  } catch {
    const path = mkdtempSync(join(tmpdir(), "bulkhead-bundles-"));
    return {
      path,
      remove: () => {
        rmSync(path, { recursive: true, force: true });
      },
    };
  }
}
