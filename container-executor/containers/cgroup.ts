import { readFileSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import type { RunningLimits } from "../engine/engine.ts";
import { cgroupPaths } from "./cgroup-paths.ts";
import type { CgroupPaths } from "./cgroup-paths.ts";

const PERIOD_US = 100_000;

export interface CgroupUse {
  readonly cpuMs: number;
  /** Anonymous and kernel memory: what the job's own limit is about. Bytes. */
  readonly memoryBytes: number;
  readonly pids: number;
  /** Since the container's start: processes that the kernel killed for memory, and that it refused to make. */
  readonly oomKills: number;
  readonly pidsRefused: number;
}

/**
 * A running container's control group on this machine: microseconds where the engine takes many
 * milliseconds. Gone with the container; then reading gives undefined, and writing false.
 */
export class Cgroup {
  readonly #paths: CgroupPaths;

  private constructor(paths: CgroupPaths) {
    this.#paths = paths;
  }

  /** undefined where the container runs on another machine, or out of this one's sight. */
  static async of(containerId: string, pid: number): Promise<Cgroup | undefined> {
    if (pid === 0) return undefined;
    const text = await readFile(`/proc/${pid}/cgroup`, "utf8").catch(() => "");
    const paths = cgroupPaths(text, containerId);
    if (paths === undefined) return undefined;
    const cgroup = new Cgroup(paths);
    return (await cgroup.use()) === undefined ? undefined : cgroup;
  }

  /**
   * Sets the limits; false where one could not be, and the container's are then not known. At once:
   * it takes microseconds, and a turn of the thread pool some hundred of them for each file.
   */
  limit(limits: RunningLimits): boolean {
    try {
      if (this.#paths.version === 1) limitV1(this.#paths, limits);
      else limitV2(this.#paths.folder, limits);
      return true;
    } catch {
      return false;
    }
  }

  async use(): Promise<CgroupUse | undefined> {
    try {
      return await (this.#paths.version === 1 ? useV1(this.#paths) : useV2(this.#paths.folder));
    } catch {
      return undefined;
    }
  }
}

type V1Paths = Extract<CgroupPaths, { version: 1 }>;

function limitV1(paths: V1Paths, limits: RunningLimits): void {
  const { memoryBytes, nanoCpus, pids } = limits;
  const memory = join(paths.memory, "memory.limit_in_bytes");
  // Memory with swap: the same number allows none. Where the kernel does not count swap, it is not there.
  const withSwap = join(paths.memory, "memory.memsw.limit_in_bytes");
  const bytes = String(memoryBytes ?? -1);
  const before = Number(readFileSync(memory, "utf8"));
  const files =
    memoryBytes === null || memoryBytes > before ? [withSwap, memory] : [memory, withSwap];
  for (const file of files) {
    write(file, bytes, { optional: file === withSwap });
  }
  write(join(paths.cpu, "cpu.cfs_period_us"), String(PERIOD_US));
  write(join(paths.cpu, "cpu.cfs_quota_us"), String(quotaUs(nanoCpus) ?? -1));
  write(join(paths.pids, "pids.max"), String(pids ?? "max"));
}

function limitV2(folder: string, limits: RunningLimits): void {
  const { memoryBytes, nanoCpus, pids } = limits;
  write(join(folder, "memory.max"), String(memoryBytes ?? "max"));
  write(join(folder, "memory.swap.max"), "0", { optional: true });
  write(join(folder, "cpu.max"), `${quotaUs(nanoCpus) ?? "max"} ${PERIOD_US}`);
  write(join(folder, "pids.max"), String(pids ?? "max"));
}

const quotaUs = (nanoCpus: number | null): number | null =>
  nanoCpus === null ? null : Math.max(1000, Math.round((nanoCpus / 1e9) * PERIOD_US));

function write(path: string, text: string, { optional = false } = {}): void {
  try {
    // Never made where it is not there: that would be a plain file, and no limit.
    writeFileSync(path, text, { flag: "r+" });
  } catch (error) {
    const missing = error instanceof Error && "code" in error && error.code === "ENOENT";
    if (!(optional && missing)) throw error;
  }
}

async function useV1(paths: V1Paths): Promise<CgroupUse> {
  const [cpu, stat, kernel, pids, oom, refused] = await Promise.all([
    readFile(join(paths.cpuacct, "cpuacct.usage"), "utf8"),
    readFile(join(paths.memory, "memory.stat"), "utf8"),
    readFile(join(paths.memory, "memory.kmem.usage_in_bytes"), "utf8").catch(() => "0"),
    readFile(join(paths.pids, "pids.current"), "utf8"),
    readFile(join(paths.memory, "memory.oom_control"), "utf8"),
    readFile(join(paths.pids, "pids.events"), "utf8").catch(() => ""),
  ]);
  return {
    cpuMs: Number(cpu) / 1e6,
    memoryBytes: field(stat, "total_rss") + Number(kernel),
    pids: Number(pids),
    oomKills: field(oom, "oom_kill"),
    pidsRefused: field(refused, "max"),
  };
}

async function useV2(folder: string): Promise<CgroupUse> {
  const [cpu, stat, pids, events, refused] = await Promise.all([
    readFile(join(folder, "cpu.stat"), "utf8"),
    readFile(join(folder, "memory.stat"), "utf8"),
    readFile(join(folder, "pids.current"), "utf8"),
    readFile(join(folder, "memory.events"), "utf8"),
    readFile(join(folder, "pids.events"), "utf8").catch(() => ""),
  ]);
  return {
    cpuMs: field(cpu, "usage_usec") / 1000,
    memoryBytes: field(stat, "anon") + field(stat, "kernel"),
    pids: Number(pids),
    oomKills: field(events, "oom_kill"),
    pidsRefused: field(refused, "max"),
  };
}

/** A number from lines of `name value`; 0 where the name is not there. */
function field(text: string, name: string): number {
  const line = text.split("\n").find((one) => one.startsWith(`${name} `));
  return line === undefined ? 0 : Number(line.slice(name.length + 1));
}
