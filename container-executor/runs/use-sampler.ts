import { availableParallelism } from "node:os";

import type { ContainerCaps, ContainerStats } from "../../protocol/container-api.ts";
import { monotonicMs } from "../journal/machine-clock.ts";
import type { BoxUse, JobBox } from "./job-box.ts";

const STATS_EVERY_MS = 1000;
/** Where no init watches the CPU time, the service does. */
const CPU_CHECK_MS = 100;

const MIB = 1024 * 1024;

export interface SamplerListener {
  told(stats: ContainerStats): void;
  overCpu(): void;
}

interface Sample {
  readonly use: BoxUse;
  readonly atMs: number;
}

/** What two looks at a container, some time apart, say of its use; percentages are of its own limits. */
export function statsBetween(
  before: Sample,
  after: Sample,
  caps: Pick<ContainerCaps, "cpus" | "memoryMb">,
  cores: number,
): ContainerStats {
  const elapsedMs = Math.max(1, after.atMs - before.atMs);
  const cpuMs = Math.max(0, after.use.cpuMs - before.use.cpuMs);
  const memoryBytes = Math.round(after.use.memoryBytes);
  return {
    cpuPercent: round((cpuMs / (elapsedMs * (caps.cpus ?? cores))) * 100),
    memoryBytes,
    memoryPercent:
      caps.memoryMb === null ? null : round((memoryBytes / (caps.memoryMb * MIB)) * 100),
    pids: after.use.pids,
  };
}

const round = (percent: number): number => Math.round(percent * 10) / 10;

/** Looks at a running container's use each second, from its making to `stop`. */
export class UseSampler {
  readonly #box: JobBox;
  readonly #caps: ContainerCaps;
  readonly #listener: SamplerListener;
  readonly #statsTimer: NodeJS.Timeout;
  readonly #cpuTimer: NodeJS.Timeout | undefined;
  #last: Sample | undefined;
  #peakBytes = 0;
  #cpuMs = 0;

  constructor(box: JobBox, caps: ContainerCaps, listener: SamplerListener) {
    this.#box = box;
    this.#caps = caps;
    this.#listener = listener;
    this.#statsTimer = setInterval(() => void this.#tell(), STATS_EVERY_MS);
    if (box.leavings === null && caps.cpuMs !== null) {
      this.#cpuTimer = setInterval(() => void this.#look(), CPU_CHECK_MS);
    }
    void this.#look();
  }

  /** The most memory that was seen, in bytes. */
  get peakBytes(): number {
    return this.#peakBytes;
  }

  /** CPU time as last seen. */
  get cpuMs(): number {
    return this.#cpuMs;
  }

  stop(): void {
    clearInterval(this.#statsTimer);
    clearInterval(this.#cpuTimer);
  }

  async #tell(): Promise<void> {
    const before = this.#last;
    const now = await this.#look();
    if (now === undefined) return;
    this.#last = now;
    if (before === undefined) return;
    this.#listener.told(statsBetween(before, now, this.#caps, availableParallelism()));
  }

  async #look(): Promise<Sample | undefined> {
    const use = await this.#box.use();
    if (use === undefined) return undefined;
    const sample = { use, atMs: monotonicMs() };
    this.#last ??= sample;
    this.#peakBytes = Math.max(this.#peakBytes, Math.round(use.memoryBytes));
    this.#cpuMs = use.cpuMs;
    const { cpuMs } = this.#caps;
    if (cpuMs !== null && use.cpuMs > cpuMs && this.#box.leavings === null)
      this.#listener.overCpu();
    return sample;
  }
}
