import { mkdirSync, readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";

import { groupFolder, memoryGroupMount, memoryGroupPlace, ownerName } from "./cgroup-text.ts";
import { CgroupV1Wall } from "./cgroup-v1.ts";
import { CgroupV2Wall } from "./cgroup-v2.ts";
import { ownIdentity, readText, removeGroup, removeLeftovers, writeValue } from "./group-files.ts";
import type { MemoryWall } from "./memory-wall.ts";
import { ResidentPollWall } from "./resident-poll.ts";

export interface OpenedWall {
  readonly wall: MemoryWall;
  /** Why memory is polled and not held by the kernel; null where it is held. */
  readonly reduced: string | null;
}

/**
 * Finds the best way to bound the memory of cages here, by trying it, and removes what a killed
 * life left of its own.
 */
export async function openMemoryWall(): Promise<OpenedWall> {
  try {
    return { wall: await openGroups(), reduced: null };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { wall: new ResidentPollWall(), reduced: why };
  }
}

async function openGroups(): Promise<MemoryWall> {
  const place = memoryGroupPlace(readFileSync("/proc/self/cgroup", "utf8"));
  if (place === undefined) throw new Error("no memory controller knows this process");
  const mount = memoryGroupMount(readFileSync("/proc/self/mountinfo", "utf8"), place.version);
  if (mount === undefined) throw new Error("the memory controller is not mounted");
  const parent = groupFolder(mount, place.path);
  if (parent === undefined) throw new Error("this process' own memory group is out of sight");
  await removeLeftovers(parent);
  const folder = join(parent, ownerName(await ownIdentity()));
  if (place.version === 2) delegate(parent);
  await mkdir(folder);
  if (place.version === 2 && !writeValue(folder, "cgroup.subtree_control", "+memory")) {
    await removeGroup(folder);
    throw new Error("the memory controller is not given to groups of ours");
  }
  const wall = place.version === 1 ? new CgroupV1Wall(folder) : new CgroupV2Wall(folder);
  await proveLimit(wall);
  return wall;
}

/**
 * In version 2 a group with processes gives no controllers on. Where this process is alone in its
 * group, it moves to a group below it; with others there, that is for whoever starts it to arrange.
 */
function delegate(parent: string): void {
  if (writeValue(parent, "cgroup.subtree_control", "+memory")) return;
  const own = join(parent, "bulkhead-supervisor");
  mkdirSync(own, { recursive: true });
  writeValue(own, "cgroup.procs", String(process.pid));
  if (writeValue(parent, "cgroup.subtree_control", "+memory")) return;
  const others = readText(parent, "cgroup.procs").trim().split("\n").length;
  throw new Error(`its memory group has ${others} other processes`);
}

/** Some systems show the files and refuse to write them. */
async function proveLimit(wall: MemoryWall): Promise<void> {
  const memory = wall.open(0);
  try {
    memory.setLimit(64 * 1024 * 1024);
  } finally {
    await memory.remove();
  }
}
