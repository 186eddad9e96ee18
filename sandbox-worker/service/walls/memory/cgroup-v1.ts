import { mkdirSync } from "node:fs";
import { join } from "node:path";

import { keyedNumber } from "./cgroup-text.ts";
import { readNumber, readText, removeGroup, writeValue } from "./group-files.ts";
import type { CageMemory, MemoryWall } from "./memory-wall.ts";

/** Memory bounded by a version 1 memory controller: a group for each cage below `folder`. */
export class CgroupV1Wall implements MemoryWall {
  readonly kind = "cgroup v1";
  readonly #folder: string;

  /** `folder` is this supervisor's own, made by the caller. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  open(cageId: number): CageMemory {
    const folder = join(this.#folder, `cage-${cageId}`);
    mkdirSync(folder);
    // What is swapped out is not counted, so nothing may be.
    writeValue(folder, "memory.swappiness", "0");
    return new CgroupV1Memory(folder);
  }

  async close(): Promise<void> {
    await removeGroup(this.#folder);
  }
}

class CgroupV1Memory implements CageMemory {
  readonly processList: string;
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
    this.processList = join(folder, "cgroup.procs");
  }

  setLimit(bytes: number): void {
    const value = String(bytes);
    // Memory may never be above memory and swap together: one order lowers, the other raises.
    if (writeValue(this.#folder, "memory.limit_in_bytes", value)) {
      writeValue(this.#folder, "memory.memsw.limit_in_bytes", value);
      return;
    }
    writeValue(this.#folder, "memory.memsw.limit_in_bytes", value);
    if (!writeValue(this.#folder, "memory.limit_in_bytes", value)) {
      throw new Error(`Cannot set the memory limit of "${this.#folder}"`);
    }
  }

  heldBytes(): number {
    return readNumber(this.#folder, "memory.usage_in_bytes");
  }

  peakBytes(): number {
    return readNumber(this.#folder, "memory.max_usage_in_bytes");
  }

  resetPeak(): void {
    writeValue(this.#folder, "memory.max_usage_in_bytes", "0");
  }

  overran(): boolean {
    return (keyedNumber(readText(this.#folder, "memory.oom_control"), "oom_kill") ?? 0) > 0;
  }

  watch(): () => void {
    return () => {};
  }

  async remove(): Promise<void> {
    await removeGroup(this.#folder);
  }
}
