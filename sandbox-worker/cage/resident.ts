import { readSync } from "node:fs";

import { openOrNull } from "./proc-file.ts";

/**
 * Reads how much memory the process has resident; in bytes. From an open file, since this is asked
 * for at each run's start and each 10 ms: a hundredth of what Node's own answer costs.
 */
export class ResidentGauge {
  readonly #text = Buffer.alloc(64);
  readonly #file: number | null;
  /** The kernel counts pages and does not say how large they are. */
  readonly #pageBytes: number;

  constructor() {
    this.#file = openOrNull("/proc/self/statm");
    const pages = this.#file === null ? 1 : this.#readPages(this.#file);
    this.#pageBytes = 2 ** Math.round(Math.log2(process.memoryUsage.rss() / pages));
  }

  bytes(): number {
    if (this.#file === null) return process.memoryUsage.rss();
    return this.#readPages(this.#file) * this.#pageBytes;
  }

  /** The second number: pages resident. */
  #readPages(file: number): number {
    const length = readSync(file, this.#text, 0, this.#text.byteLength, 0);
    return Number(this.#text.toString("latin1", 0, length).split(" ", 2)[1]);
  }
}
