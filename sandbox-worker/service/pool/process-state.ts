import { readFileSync } from "node:fs";

/** How many of these processes compute now, rather than wait. Where it cannot be told: none. */
export function computingCount(pids: readonly (number | undefined)[]): number {
  return pids.filter((pid) => pid !== undefined && isComputing(pid)).length;
}

function isComputing(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).startsWith("R");
  } catch {
    return false;
  }
}
