import { readFileSync } from "node:fs";

import { heldPages } from "./cgroup-text.ts";
import type { CageMemory, MemoryWall } from "./memory-wall.ts";

/** How often a busy cage's resident size is read. What it can allocate in between goes unseen. */
const POLL_MS = 10;

/** What Linux calls a page on x86_64 and, almost always, on arm64. */
const PAGE_BYTES = 4096;

/**
 * Memory bounded by looking: where no control group can be made. Sees a cage's resident size, and
 * only while a run is under way.
 */
export class ResidentPollWall implements MemoryWall {
  readonly kind = "poll";

  open(): CageMemory {
    return new PolledMemory();
  }

  async close(): Promise<void> {}
}

class PolledMemory implements CageMemory {
  readonly processList = null;
  #limitBytes = Infinity;
  #pid: number | undefined;
  #peakBytes = 0;
  #overran = false;
  /** Pages of Node's own files, as many as there were when the cage was first looked at. */
  #filePages: number | undefined;

  setLimit(bytes: number): void {
    this.#limitBytes = bytes;
  }

  heldBytes(): number {
    if (this.#pid === undefined) return 0;
    try {
      const pages = heldPages(readFileSync(`/proc/${this.#pid}/statm`, "utf8"));
      if (pages === undefined) return 0;
      this.#filePages ??= pages.shared;
      return Math.max(0, pages.resident - this.#filePages) * PAGE_BYTES;
    } catch {
      // It died, or this system has no such file.
      return 0;
    }
  }

  peakBytes(): number {
    return Math.max(this.#peakBytes, this.heldBytes());
  }

  resetPeak(): void {
    this.#peakBytes = 0;
  }

  overran(): boolean {
    return this.#overran;
  }

  watch(pid: number, onOverrun: () => void): () => void {
    this.#pid = pid;
    const timer = setInterval(() => {
      const held = this.heldBytes();
      this.#peakBytes = Math.max(this.#peakBytes, held);
      if (held <= this.#limitBytes) return;
      this.#overran = true;
      clearInterval(timer);
      onOverrun();
    }, POLL_MS);
    return () => {
      clearInterval(timer);
    };
  }

  async remove(): Promise<void> {}
}
