import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { createConnection } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { Apt } from "../../scripts/setup/apt.ts";
import { findProgram } from "../../scripts/setup/find-program.ts";
import { takePort } from "../../scripts/stack/ports.ts";

const START_TIMEOUT_MS = 10_000;
const POLL_MS = 25;

/** When a write is on its disk: once a second, or before it is answered. */
export type RedisSync = "everysec" | "always";

/**
 * Makes sure that there is a Redis, by Debian's package where there is none. Gives its program.
 *
 * @throws {Error} Saying why there is none.
 */
export async function prepareRedis(local: string, say: (line: string) => void): Promise<string> {
  const failure =
    findProgram("redis-server") === null
      ? await new Apt(join(local, "logs/bench.log"), say).install(["redis-server"])
      : null;
  const program = findProgram("redis-server");
  if (program === null) throw new Error(`Cannot run Redis: ${failure ?? "it is not on the PATH"}`);
  return program;
}

/** A Redis of the bench's own that keeps every write in its append-only file. Owns the process. */
export class BenchRedis implements AsyncDisposable {
  readonly port: number;
  readonly #child: ChildProcess;

  private constructor(port: number, child: ChildProcess) {
    this.port = port;
    this.#child = child;
  }

  /** @throws {Error} Where it does not come up; nothing is left then. */
  static async start(program: string, folder: string, sync: RedisSync): Promise<BenchRedis> {
    mkdirSync(folder, { recursive: true });
    const port = await takePort(undefined);
    const settings = {
      bind: "127.0.0.1",
      port: String(port),
      dir: folder,
      save: "",
      appendonly: "yes",
      appendfsync: sync,
    };
    const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
    const child = spawn(program, args, { stdio: "ignore" });
    const redis = new BenchRedis(port, child);
    const deadline = Date.now() + START_TIMEOUT_MS;
    while (!(await listens(port))) {
      if (child.exitCode !== null || Date.now() > deadline) {
        await redis[Symbol.asyncDispose]();
        throw new Error(`Cannot start Redis: it did not answer within ${START_TIMEOUT_MS} ms`);
      }
      await sleep(POLL_MS);
    }
    return redis;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await ended;
  }
}

async function listens(port: number): Promise<boolean> {
  const socket = createConnection({ host: "127.0.0.1", port });
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
