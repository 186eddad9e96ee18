import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { bundleWorker } from "../../scripts/stack/bundle.ts";
import { takePort } from "../../scripts/stack/ports.ts";
import { readWorkerOptions } from "../../scripts/stack/worker-options.ts";
import { workerdConfig } from "./workerd-config.ts";

const START_TIMEOUT_MS = 20_000;
const POLL_MS = 25;

export interface WorkerdOptions {
  /** The project's folder. */
  readonly root: string;
  /** A folder of its own for the bundle, the configuration, the log and the storage. */
  readonly folder: string;
  /** Secrets, and variables that replace those of wrangler.toml. */
  readonly values: Readonly<Record<string, string>>;
  /** The Worker's entry, where it is not the one of wrangler.toml; it must export the same. */
  readonly main?: string;
}

/** The Worker in bare workerd, in a process of its own. Owns the process: `stop` ends it. */
export class WorkerdGateway implements AsyncDisposable {
  readonly url: string;
  readonly leftOut: readonly string[];
  readonly #child: ChildProcess;

  private constructor(url: string, leftOut: readonly string[], child: ChildProcess) {
    this.url = url;
    this.leftOut = leftOut;
    this.#child = child;
  }

  /**
   * Bundles the Worker of wrangler.toml and serves it.
   *
   * @throws {Error} With the end of its log where it does not come up; nothing is left then.
   */
  static async start({ root, folder, values, main }: WorkerdOptions): Promise<WorkerdGateway> {
    const worker = readWorkerOptions(join(root, "wrangler.toml"), values);
    const storage = join(folder, "storage");
    mkdirSync(storage, { recursive: true });
    writeFileSync(join(folder, "worker.js"), await bundleWorker(main ?? worker.main));
    const port = await takePort(undefined);
    const { text, leftOut } = workerdConfig(worker, { port, module: "worker.js", storage });
    // It holds the secrets.
    writeFileSync(join(folder, "config.capnp"), text, { mode: 0o600 });

    const logPath = join(folder, "workerd.log");
    const log = openSync(logPath, "a");
    const child = spawn(
      workerdBinary(),
      ["serve", "--experimental", join(folder, "config.capnp")],
      {
        stdio: ["ignore", log, log],
      },
    );
    closeSync(log);
    const gateway = new WorkerdGateway(`http://127.0.0.1:${port}`, leftOut, child);
    try {
      await gateway.#answers();
      return gateway;
    } catch (error) {
      await gateway.stop();
      const tail = readFileSync(logPath, "utf8").trimEnd().split("\n").slice(-12).join("\n");
      throw new Error(`Cannot start workerd: ${String(error)}\n${tail}`, { cause: error });
    }
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await ended;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #answers(): Promise<void> {
    const deadline = Date.now() + START_TIMEOUT_MS;
    while (Date.now() < deadline && this.#child.exitCode === null) {
      try {
        const response = await fetch(new URL("/healthz", this.url));
        await response.body?.cancel();
        if (response.ok) return;
      } catch {
        // Not listening yet.
      }
      await sleep(POLL_MS);
    }
    throw new Error(`it did not answer within ${START_TIMEOUT_MS} ms`);
  }
}

/** The runtime's own executable, of the very build that Miniflare runs. */
function workerdBinary(): string {
  const ofMiniflare = createRequire(createRequire(import.meta.url).resolve("miniflare"));
  const workerd = ofMiniflare("workerd") as { readonly default: string };
  return workerd.default;
}
