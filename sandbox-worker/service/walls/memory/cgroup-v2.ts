import { mkdirSync } from "node:fs";
import { join } from "node:path";

import { keyedNumber } from "./cgroup-text.ts";
import { readNumber, readText, removeGroup, writeValue } from "./group-files.ts";
import type { CageMemory, MemoryWall } from "./memory-wall.ts";

/** Memory bounded by a version 2 memory controller: a group for each cage below `folder`. */
export class CgroupV2Wall implements MemoryWall {
  readonly kind = "cgroup v2";
  readonly #folder: string;

  /** `folder` is this supervisor's own, with the memory controller on for what is below it. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  open(cageId: number): CageMemory {
    const folder = join(this.#folder, `cage-${cageId}`);
    mkdirSync(folder);
    writeValue(folder, "memory.swap.max", "0");
    // A cage that lost its main process to the limit is of no use: all of it goes.
    writeValue(folder, "memory.oom.group", "1");
    return new CgroupV2Memory(folder);
  }

  async close(): Promise<void> {
    await removeGroup(this.#folder);
  }
}

class CgroupV2Memory implements CageMemory {
  readonly processList: string;
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
    this.processList = join(folder, "cgroup.procs");
  }

  setLimit(bytes: number): void {
    if (!writeValue(this.#folder, "memory.max", String(bytes))) {
      throw new Error(`Cannot set the memory limit of "${this.#folder}"`);
    }
  }

  heldBytes(): number {
    return readNumber(this.#folder, "memory.current");
  }

  peakBytes(): number {
    return readNumber(this.#folder, "memory.peak");
  }

  resetPeak(): void {
    // Since Linux 6.12 a write starts anew, for the writer's own descriptor alone: the file keeps
    // the peak of the cage's whole life.
  }

  overran(): boolean {
    return (keyedNumber(readText(this.#folder, "memory.events"), "oom_kill") ?? 0) > 0;
  }

  watch(): () => void {
    return () => {};
  }

  async remove(): Promise<void> {
    writeValue(this.#folder, "cgroup.kill", "1");
    await removeGroup(this.#folder);
  }
}
