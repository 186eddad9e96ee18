import { Worker } from "node:worker_threads";

import type { RunCaps } from "../../protocol/sandbox-api.ts";
import { CpuClock } from "./cpu-clock.ts";
import { dieWith } from "./last-word.ts";
import { ResidentGauge } from "./resident.ts";
import { monotonicMs, PHASE_IDLE, PHASE_KILLING, WatchdogState } from "./watchdog-state.ts";

/** The ladder's second rung: so long after a run's time is up, the cage kills itself. */
const WALL_GRACE_MS = 50;
/** Writing a run's end runs no guest code, but takes its time: so long after the call, it is late. */
const ENDING_MS = 300;
/**
 * What a run may add to the process, as a multiple of its memory cap: isolated-vm lets code pass
 * the cap for a while, and some allocations for ever.
 */
const RESIDENT_FACTOR = 3;

/** The main thread's handle of the watchdog: says when a run begins and when it has ended. */
export class Watchdog {
  readonly #state = new WatchdogState();
  readonly #worker: Worker;
  readonly #online: Promise<void>;
  readonly #resident = new ResidentGauge();
  #phase: number = PHASE_IDLE;
  #runs = 0;

  /** Starts the thread; `threadUrl` is its program. */
  constructor(threadUrl: URL) {
    this.#worker = new Worker(threadUrl, {
      workerData: this.#state.memory,
      // It holds no guest and little of its own.
      resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2 },
    });
    this.#online = new Promise((resolve, reject) => {
      this.#worker.once("online", resolve);
      this.#worker.once("error", reject);
    });
  }

  /** Resolves once the thread runs: no guest may start before. */
  async online(): Promise<void> {
    await this.#online;
    // From here on the process lives as long as its standard input does.
    this.#worker.unref();
  }

  /** The clock of the CPU time that counts. */
  readonly cpu = new CpuClock();

  /** From now on the process dies soon after it is over its caps. Both answers are starting points. */
  arm(caps: Pick<RunCaps, "wallMs" | "cpuMs" | "memoryMb">): {
    readonly startMs: number;
    readonly cpuStartMs: number;
  } {
    const startMs = monotonicMs();
    const cpuStartMs = this.cpu.ownMs();
    const addedBytes = caps.memoryMb * 1024 * 1024 * RESIDENT_FACTOR;
    this.#phase = ++this.#runs * 2 - 1;
    this.#state.arm(this.#phase, {
      deadlineMs: startMs + caps.wallMs + WALL_GRACE_MS,
      cpuEndMs: this.cpu.ms() + caps.cpuMs,
      residentMaxBytes: this.#resident.bytes() + addedBytes,
    });
    return { startMs, cpuStartMs };
  }

  /** No guest code will run any more: the run's end may take a little longer than the run. */
  ending(): void {
    this.#state.setDeadline(monotonicMs() + ENDING_MS);
  }

  /** The run uses the thread pool: its threads' time counts from now on. */
  countPool(): void {
    this.cpu.countPool();
    this.#state.countPool();
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
