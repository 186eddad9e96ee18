import { readFileSync, writeFileSync } from "node:fs";
import { readdir, readFile, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { ownerName, parseOwnerName } from "./cgroup-text.ts";
import type { GroupOwner } from "./cgroup-text.ts";

/** A group is busy for a moment after its last process died. */
const REMOVE_TRIES = 50;
const REMOVE_PAUSE_MS = 20;

/** Writes one value; false where the kernel refuses it. */
export function writeValue(folder: string, file: string, value: string): boolean {
  try {
    writeFileSync(join(folder, file), value);
    return true;
  } catch {
    return false;
  }
}

/** Reads a file of one group, or "" where it has none. */
export function readText(folder: string, file: string): string {
  try {
    return readFileSync(join(folder, file), "utf8");
  } catch {
    return "";
  }
}

export function readNumber(folder: string, file: string): number {
  const value = Number(readText(folder, file));
  return Number.isFinite(value) ? value : 0;
}

/** Removes an empty group; true once it is gone. */
export async function removeGroup(folder: string): Promise<boolean> {
  for (let left = REMOVE_TRIES; left > 0; left--) {
    try {
      await rmdir(folder);
      return true;
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return true;
      await sleep(REMOVE_PAUSE_MS);
    }
  }
  return false;
}

/** This process, as the name of its group tells it. */
export async function ownIdentity(): Promise<GroupOwner> {
  const startTime = await startTimeOf(process.pid);
  return { pid: process.pid, startTime: startTime ?? "0" };
}

/**
 * Kills and removes what supervisors that no longer live left below `parent`. A living one's
 * groups are left alone: its pid and start time are in the name.
 */
export async function removeLeftovers(parent: string): Promise<number> {
  const names = await readdir(parent).catch(() => []);
  let removed = 0;
  for (const name of names) {
    const owner = parseOwnerName(name);
    if (owner === undefined || (await startTimeOf(owner.pid)) === owner.startTime) continue;
    const folder = join(parent, ownerName(owner));
    for (const cage of await readdir(folder, { withFileTypes: true })) {
      if (!cage.isDirectory()) continue;
      killAll(join(folder, cage.name));
      await removeGroup(join(folder, cage.name));
    }
    if (await removeGroup(folder)) removed++;
  }
  return removed;
}

function killAll(folder: string): void {
  for (const line of readText(folder, "cgroup.procs").split("\n")) {
    const pid = Number(line);
    // 0 stands for a process that this namespace cannot see.
    if (!Number.isInteger(pid) || pid <= 0) continue;
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It died meanwhile.
    }
  }
}

async function startTimeOf(pid: number): Promise<string | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8");
    // The name in parentheses may hold anything; the fields begin after its last one.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    return undefined;
  }
}
