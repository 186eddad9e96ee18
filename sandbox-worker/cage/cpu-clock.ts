import { readdirSync, readFileSync, readSync } from "node:fs";

import { openOrNull } from "./proc-file.ts";

const TASKS = "/proc/self/task";
/** As the kernel shows the name of a thread of the pool; set by the thread itself, once it runs. */
const POOL_THREAD_NAME = "libuv-worker";
/** libuv's own number; a cage's environment is empty. */
const POOL_THREADS = 4;

/**
 * CPU time that counts as a run's: the main thread's, and, once crypto was used, that of Node's
 * thread pool. V8's helpers (concurrent garbage collection, compilers) do not count: they would
 * turn a lack of memory into a lack of time. Each thread that asks has a clock of
 * its own, for as long as it lives.
 *
 * Where `/proc` cannot be read, the whole process counts.
 */
export class CpuClock {
  readonly #text = Buffer.alloc(64);
  readonly #main: number | null;
  readonly #pool = new Map<string, number>();

  constructor() {
    // The main thread's id is the process's.
    this.#main = openOrNull(`${TASKS}/${process.pid}/schedstat`);
  }

  /** From now on the thread pool counts, too. Idempotent; threads that only just start are found by a later call. */
  countPool(): void {
    if (this.#pool.size === POOL_THREADS || this.#main === null) return;
    for (const tid of readdirSync(TASKS)) {
      if (this.#pool.has(tid) || nameOf(tid) !== POOL_THREAD_NAME) continue;
      const file = openOrNull(`${TASKS}/${tid}/schedstat`);
      if (file !== null) this.#pool.set(tid, file);
    }
  }

  /** Milliseconds, for either thread; those of a thread that runs right now up to a tick ago. */
  ms(): number {
    if (this.#main === null) return processCpuMs();
    return this.#readMs(this.#main) + this.#poolMs();
  }

  /**
   * Milliseconds, for the main thread alone to ask. Not to be compared with `ms`. As fine as the
   * kernel counts: on some it grows by whole ticks, so that a short run may show none.
   */
  ownMs(): number {
    if (this.#main === null) return processCpuMs();
    const { user, system } = process.threadCpuUsage();
    return (user + system) / 1000 + this.#poolMs();
  }

  #poolMs(): number {
    let ms = 0;
    for (const file of this.#pool.values()) ms += this.#readMs(file);
    return ms;
  }

  /** The first number of `schedstat`: nanoseconds on a CPU. */
  #readMs(file: number): number {
    const length = readSync(file, this.#text, 0, this.#text.byteLength, 0);
    return Number.parseInt(this.#text.toString("latin1", 0, length), 10) / 1e6;
  }
}

function nameOf(tid: string): string {
  try {
    return readFileSync(`${TASKS}/${tid}/comm`, "latin1").trim();
  } catch {
    // Gone since it was listed.
    return "";
  }
}

/** CPU time of every thread of the process, in milliseconds. */
export function processCpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
