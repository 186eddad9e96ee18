import type { ChildProcess } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { identify, isAlive, type ProcessIdentity } from "../process-identity.mjs";
import { lastLines } from "../setup/run-command.ts";
import { stopProcess } from "../stop-process.ts";
import { restartDelayMs } from "./restart-delay.ts";

export interface ServiceSpec {
  readonly name: string;
  readonly log: string;
  /** Starts the process, with both its output streams on the given file. */
  readonly launch: (log: number) => ChildProcess;
  /**
   * Calls back each time the service is ready to serve, with the process that does. Resolves for the
   * first time only, and rejects when the service cannot become ready.
   */
  readonly whenReady: (child: ChildProcess, onServing: (pid: number) => void) => Promise<void>;
  /** Asks it to stop; a SIGTERM where left out. */
  readonly askToStop?: (child: ChildProcess) => void;
  /** How long it may take to finish what it runs when it is asked to stop. */
  readonly drainMs: number;
}

const LOG_TAIL_LINES = 12;

/** One service of the stack, kept running until it is stopped. */
export class Supervised {
  readonly #spec: ServiceSpec;
  readonly #onChange: () => void;
  readonly #deaths: number[] = [];
  #child: ChildProcess | null = null;
  #exit: Promise<void> = Promise.resolve();
  #identity: ProcessIdentity | null = null;
  #serving: ProcessIdentity | null = null;
  #isStopping = false;

  /** @param onChange Called whenever one of the processes came or went. */
  constructor(spec: ServiceSpec, onChange: () => void) {
    this.#spec = spec;
    this.#onChange = onChange;
  }

  /** The pid that serves, or null while there is none. */
  get servingPid(): number | null {
    return this.#serving !== null && isAlive(this.#serving) ? this.#serving.pid : null;
  }

  /** Every process that would be left if the supervisor died now. */
  get processes(): readonly (ProcessIdentity & { readonly name: string })[] {
    const own = this.#identity === null ? [] : [{ name: this.#spec.name, ...this.#identity }];
    const isOther = this.#serving !== null && this.#serving.pid !== this.#identity?.pid;
    return isOther && this.#serving !== null
      ? [...own, { name: `${this.#spec.name} runtime`, ...this.#serving }]
      : own;
  }

  /**
   * Starts the service and resolves once it serves.
   *
   * @throws With the end of its log when it does not come up the first time.
   */
  async start(): Promise<void> {
    rmSync(this.#spec.log, { force: true });
    mkdirSync(dirname(this.#spec.log), { recursive: true });
    try {
      await this.#launch();
    } catch (error) {
      await this.#end(0);
      const tail = lastLines(readFileSync(this.#spec.log, "utf8"), LOG_TAIL_LINES);
      const why = error instanceof Error ? error.message : String(error);
      throw new Error(`Cannot start ${this.#spec.name}: ${why}\n${tail}`, { cause: error });
    }
    void this.#keepRunning();
  }

  /** Lets the service finish what it runs, then ends it. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    const { askToStop, drainMs } = this.#spec;
    if (this.#child !== null && askToStop !== undefined) {
      askToStop(this.#child);
      await Promise.race([this.#exit, sleep(drainMs, undefined, { ref: false })]);
    }
    await this.#end(drainMs);
  }

  /** Cuts a stop short: the processes end now, whatever they run. */
  kill(): void {
    for (const { pid, ...identity } of this.processes) {
      if (isAlive({ pid, ...identity })) process.kill(pid, "SIGKILL");
    }
  }

  async #keepRunning(): Promise<void> {
    for (;;) {
      await this.#exit;
      if (this.#isStopping) return;
      const now = Date.now();
      this.#deaths.push(now);
      // A host that was killed leaves its runtime, which would keep the port from the next one.
      await this.#end(0);
      await sleep(restartDelayMs(this.#deaths, now));
      if (this.#isStopping) return;
      await this.#launch().catch(() => this.#end(0));
    }
  }

  /** Rejects when the process ends, or gives up, before it serves. */
  async #launch(): Promise<void> {
    const log = openSync(this.#spec.log, "a");
    const child = this.#spec.launch(log);
    closeSync(log);
    this.#child = child;
    this.#exit = new Promise((resolve) => {
      child.once("error", () => resolve());
      child.once("exit", () => resolve());
    });
    this.#identity = child.pid === undefined ? null : identify(child.pid);
    this.#onChange();

    const onServing = (pid: number) => {
      this.#serving = identify(pid);
      this.#onChange();
    };
    await Promise.race([endOf(child), this.#spec.whenReady(child, onServing)]);
  }

  async #end(graceMs: number): Promise<void> {
    for (const { pid, startTime } of this.processes) await stopProcess({ pid, startTime }, graceMs);
    this.#child = null;
    this.#identity = null;
    this.#serving = null;
    this.#onChange();
  }
}

function endOf(child: ChildProcess): Promise<never> {
  return new Promise((_, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => reject(new Error(`it ended with ${signal ?? code}`)));
  });
}
