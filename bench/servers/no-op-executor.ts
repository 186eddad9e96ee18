import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

import { z } from "zod";

import type { NoOpSettings } from "./no-op-executor-process.ts";

/** A process in a sandbox-worker's place that runs nothing. Owns the process. */
export class NoOpExecutor implements AsyncDisposable {
  readonly url: string;
  readonly #child: ChildProcess;

  private constructor(url: string, child: ChildProcess) {
    this.url = url;
    this.#child = child;
  }

  static async start(settings: NoOpSettings): Promise<NoOpExecutor> {
    const entry = new URL("./no-op-executor-process.ts", import.meta.url);
    const child = fork(fileURLToPath(entry), [], { stdio: ["ignore", 2, 2, "ipc"] });
    child.send(settings);
    const [port] = await once(child, "message");
    return new NoOpExecutor(`http://127.0.0.1:${z.number().parse(port)}`, child);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.disconnect();
    await ended;
  }
}
