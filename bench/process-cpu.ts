import { readdirSync, readFileSync } from "node:fs";

/** Ticks of `/proc/<pid>/stat` in a second; Linux fixes it for user space on every architecture. */
const TICKS_PER_SECOND = 100;

/** A process as `/proc/<pid>/stat` shows it. */
export interface ProcessStat {
  readonly pid: number;
  readonly parent: number;
  /** Its own, and that of its children that ended and were waited for. */
  readonly cpuTicks: number;
}

/**
 * Reads a line of `/proc/<pid>/stat`. The command name may hold spaces and parentheses, so the fields
 * are counted from its last one.
 */
export function parseStat(line: string): ProcessStat | undefined {
  const pid = Number.parseInt(line, 10);
  const fields = line.slice(line.lastIndexOf(")") + 2).split(" ");
  const parent = Number(fields[1]);
  const cpuTicks = [11, 12, 13, 14].reduce((sum, at) => sum + Number(fields[at]), 0);
  return Number.isNaN(pid + parent + cpuTicks) ? undefined : { pid, parent, cpuTicks };
}

/** A process and everything below it, given every process there is. */
export function descendants(
  root: number,
  processes: readonly ProcessStat[],
): readonly ProcessStat[] {
  const found = processes.filter(({ pid }) => pid === root);
  // A list that grows while it is walked: each one's children join at the end.
  for (const { pid } of found) found.push(...processes.filter(({ parent }) => parent === pid));
  return found;
}

/** A process tree of this machine, as it is now; empty where the root is gone. */
export function processTree(root: number): readonly ProcessStat[] {
  return descendants(root, allProcesses());
}

/**
 * Seconds of CPU time that process trees have used so far, but for the trees of `without`. A child that
 * ends between two readings is not lost: its time then counts as its parent's.
 */
export function cpuSeconds(roots: readonly number[], without: readonly number[] = []): number {
  const processes = allProcesses();
  const pids = (of: readonly number[]) =>
    new Set(of.flatMap((root) => descendants(root, processes).map(({ pid }) => pid)));
  const counted = pids(roots);
  const excluded = pids(without);
  const ticks = processes
    .filter(({ pid }) => counted.has(pid) && !excluded.has(pid))
    .reduce((sum, { cpuTicks }) => sum + cpuTicks, 0);
  return ticks / TICKS_PER_SECOND;
}

function allProcesses(): readonly ProcessStat[] {
  return readdirSync("/proc")
    .filter((name) => /^[0-9]+$/.test(name))
    .flatMap((name) => {
      try {
        return parseStat(readFileSync(`/proc/${name}/stat`, "utf8")) ?? [];
      } catch {
        // It ended since the folder was read.
        return [];
      }
    });
}
