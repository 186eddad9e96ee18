import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

import type { Load, Samples } from "./load.ts";
import type { Order, Reply } from "./serve-loads.ts";

/**
 * A process that loads are run in, so that its work is neither the bench's nor, unless it is the
 * contender itself, counted as the contender's. Owns the process: `close` ends it.
 */
export class LoadProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  #measuredPid: number | null = null;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /**
   * Starts the process of a file that calls `serveLoads`.
   *
   * @throws {Error} Where its contender cannot be begun; the process is then gone.
   */
  static async start(
    entry: URL,
    target: unknown,
    nodeOptions: readonly string[] = [],
  ): Promise<LoadProcess> {
    const child = fork(fileURLToPath(entry), [], {
      execArgv: [...nodeOptions],
      serialization: "advanced",
      // The bench's own standard output is its table.
      stdio: ["ignore", 2, 2, "ipc"],
    });
    const started = new LoadProcess(child);
    try {
      const reply = await started.#ask({ kind: "begin", target });
      if (reply.kind === "ready") started.#measuredPid = reply.measuredPid;
      return started;
    } catch (error) {
      await started.close();
      throw error;
    }
  }

  /** Of the process that loads come from. */
  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Of the contender's process where this one started it, else of this one. */
  get contenderPid(): number {
    return this.#measuredPid ?? this.pid;
  }

  async run(load: Load): Promise<Samples> {
    const reply = await this.#ask({ kind: "load", load });
    if (reply.kind !== "samples") throw new TypeError(`Cannot read samples: got "${reply.kind}"`);
    return reply.samples;
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    if (this.#child.connected) this.#child.disconnect();
    const deadline = setTimeout(() => this.#child.kill("SIGKILL"), 5000);
    await ended;
    clearTimeout(deadline);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #ask(order: Order): Promise<Reply> {
    const waiting = new AbortController();
    const reply = Promise.race([
      once(this.#child, "message", waiting).then(([message]) => message as Reply),
      once(this.#child, "exit", waiting).then(([code]): Reply => {
        return { kind: "failed", message: `its process ended with ${String(code)}` };
      }),
    ]);
    this.#child.send(order);
    try {
      const message = await reply;
      if (message.kind === "failed") throw new Error(message.message);
      return message;
    } finally {
      waiting.abort();
    }
  }
}
