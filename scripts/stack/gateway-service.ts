import { fork } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { bundleWorker } from "./bundle.ts";
import type { GatewayOrder, GatewayReport } from "./gateway-messages.ts";
import type { ServiceSpec } from "./supervised.ts";
import { readWorkerOptions } from "./worker-options.ts";

export interface GatewayService {
  readonly root: string;
  readonly port: number;
  readonly log: string;
  /** Keeps the Durable Objects' storage. */
  readonly state: string;
  /** Secrets, and variables that replace those of wrangler.toml. */
  readonly values: Readonly<Record<string, string>>;
  /** The XDG_CACHE_HOME in which Miniflare finds the browser. */
  readonly cacheHome: string;
  readonly temporary: string;
}

const START_TIMEOUT_MS = 30_000;
const STOP_MS = 5_000;
const MODULE = "worker.js";

/** The gateway: the Worker of wrangler.toml in Miniflare, in a process of its own. */
export async function gatewayService(service: GatewayService): Promise<ServiceSpec> {
  const order: GatewayOrder = { miniflareOptions: await miniflareOptions(service) };
  return {
    name: "gateway",
    log: service.log,
    drainMs: STOP_MS,
    // Not by a signal: Miniflare has a handler of its own, which leaves without waiting for its runtime.
    askToStop: (child) => {
      if (child.connected) child.disconnect();
    },
    launch: (log) =>
      fork(fileURLToPath(import.meta.resolve("./gateway-host.ts")), {
        cwd: service.root,
        // In a session of its own: a terminal's Ctrl-C is for the supervisor, which drains first.
        detached: true,
        stdio: ["ignore", log, log, "ipc"],
        env: {
          ...process.env,
          XDG_CACHE_HOME: service.cacheHome,
          TMPDIR: service.temporary,
          NO_COLOR: "1",
        },
      }),
    whenReady: (child, onServing) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          reject(new Error(`it was not ready after ${START_TIMEOUT_MS} ms`));
        }, START_TIMEOUT_MS);
        child.on("message", ({ runtimePid }: GatewayReport) => {
          clearTimeout(timer);
          if (runtimePid !== null) onServing(runtimePid);
          resolve();
        });
        child.once("exit", () => clearTimeout(timer));
        child.send(order);
      }),
  };
}

/** Everything but functions, so that it crosses to the host as it is. */
async function miniflareOptions(service: GatewayService): Promise<object> {
  const worker = readWorkerOptions(join(service.root, "wrangler.toml"), service.values);
  const { main, ...config } = worker;
  return {
    // Miniflare's own entry, which nobody uses: it adds a hop through another Worker to each request.
    host: "127.0.0.1",
    // No look-up of where this machine is, no report of use.
    cf: false,
    telemetry: { enabled: false },
    resourcePersistencePath: service.state,
    workers: [
      {
        config: {
          ...config,
          manifest: {
            mainModule: MODULE,
            modules: { [MODULE]: { type: "esm", contents: await bundleWorker(main) } },
          },
        },
        // The Worker as the runtime serves it, as in production.
        dev: { unsafeDirectSockets: [{ host: "127.0.0.1", port: service.port }] },
      },
    ],
  };
}
