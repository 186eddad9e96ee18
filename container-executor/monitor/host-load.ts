import { readFile, statfs } from "node:fs/promises";
import { availableParallelism, cpus, freemem, totalmem } from "node:os";

import type { LoadSample } from "./recommended-concurrency.ts";

const SAMPLE_EVERY_MS = 1000;
/** What "the last while" is: half a minute. */
const SAMPLES_KEPT = 30;

export interface Host {
  readonly cores: number;
  readonly cpuPercent: number;
  readonly memoryBytes: number;
  readonly memoryAvailableBytes: number;
  readonly diskFreeBytes: number;
}

interface CpuTimes {
  readonly busy: number;
  readonly all: number;
}

/** Looks at the machine's load each second, from its start to `close`. */
export class HostLoad {
  readonly #folder: string;
  readonly #timer: NodeJS.Timeout;
  readonly #samples: LoadSample[] = [];
  #times = cpuTimes();
  #diskFreeBytes = 0;

  /** `folder` lies on the disk whose free space counts. */
  constructor(folder: string) {
    this.#folder = folder;
    this.#timer = setInterval(() => void this.#sample(), SAMPLE_EVERY_MS);
    this.#timer.unref();
    void this.#sample();
  }

  get samples(): readonly LoadSample[] {
    return this.#samples;
  }

  get host(): Host {
    const latest = this.#samples.at(-1);
    return {
      cores: availableParallelism(),
      cpuPercent: latest?.cpuPercent ?? 0,
      memoryBytes: totalmem(),
      memoryAvailableBytes: latest?.memoryAvailableBytes ?? freemem(),
      diskFreeBytes: this.#diskFreeBytes,
    };
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #sample(): Promise<void> {
    const before = this.#times;
    this.#times = cpuTimes();
    const all = this.#times.all - before.all;
    const cpuPercent = all === 0 ? 0 : ((this.#times.busy - before.busy) / all) * 100;
    this.#samples.push({ cpuPercent, memoryAvailableBytes: await memoryAvailable() });
    if (this.#samples.length > SAMPLES_KEPT) this.#samples.shift();
    try {
      const { bavail, bsize } = await statfs(this.#folder);
      this.#diskFreeBytes = bavail * bsize;
    } catch {
      // The folder went away: no free space that could be used.
      this.#diskFreeBytes = 0;
    }
  }
}

function cpuTimes(): CpuTimes {
  let busy = 0;
  let all = 0;
  for (const { times } of cpus()) {
    const working = times.user + times.nice + times.sys + times.irq;
    busy += working;
    all += working + times.idle;
  }
  return { busy, all };
}

/** What programs could still have, caches given back; `freemem` counts caches as taken. */
async function memoryAvailable(): Promise<number> {
  try {
    const text = await readFile("/proc/meminfo", "utf8");
    const kib = /^MemAvailable:\s+([0-9]+) kB$/m.exec(text)?.[1];
    return kib === undefined ? freemem() : Number(kib) * 1024;
  } catch {
    // Not Linux.
    return freemem();
  }
}
