import { Worker } from "node:worker_threads";

import { dieWith } from "./last-word.ts";
import {
  monotonicMs,
  PHASE_IDLE,
  PHASE_KILLING,
  processCpuMs,
  WatchdogState,
} from "./watchdog-state.ts";

/** The ladder's second rung: so long after a run's time is up, the cage kills itself. */
const WALL_GRACE_MS = 50;

/** The main thread's handle of the watchdog: says when a run begins and when it has ended. */
export class Watchdog {
  readonly #state = new WatchdogState();
  readonly #worker: Worker;
  #phase = PHASE_IDLE;
  #runs = 0;

  private constructor(threadUrl: URL) {
    this.#worker = new Worker(threadUrl, {
      workerData: this.#state.memory,
      // It holds no guest and little of its own.
      resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2 },
      stdout: false,
      stderr: false,
    });
  }

  /** Resolves once the thread runs: no guest may start before. */
  static async start(threadUrl: URL): Promise<Watchdog> {
    const watchdog = new Watchdog(threadUrl);
    await new Promise<void>((resolve, reject) => {
      watchdog.#worker.once("online", resolve);
      watchdog.#worker.once("error", reject);
    });
    watchdog.#worker.unref();
    return watchdog;
  }

  /** From now on the process dies `WALL_GRACE_MS` after `wallMs`, or soon after `cpuMs` of CPU. */
  arm(wallMs: number, cpuMs: number): { readonly deadlineMs: number; readonly cpuStartMs: number } {
    const deadlineMs = monotonicMs() + wallMs;
    const cpuStartMs = processCpuMs();
    this.#phase = ++this.#runs * 2 - 1;
    this.#state.arm(this.#phase, {
      deadlineMs: deadlineMs + WALL_GRACE_MS,
      cpuLimitMs: cpuMs,
      cpuStartMs,
    });
    return { deadlineMs, cpuStartMs };
  }

  /** Ends the watch; false where the kill was already decided, and the run's end is not ours to tell. */
  disarm(): boolean {
    const ended = this.#state.move(this.#phase, PHASE_IDLE);
    this.#phase = PHASE_IDLE;
    return ended;
  }

  /** Dies of memory, unless the watchdog is already killing for another reason. */
  outOfMemory(): void {
    if (this.#state.move(this.#phase, PHASE_KILLING)) dieWith("memory_limit");
  }
}
