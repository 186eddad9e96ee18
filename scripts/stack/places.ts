import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { identify, isAlive } from "../process-identity.mjs";
import { removeLeftovers } from "./processes.ts";

/** Where one local stack keeps its files. */
export interface StackPlaces {
  readonly folder: string;
  readonly state: string;
  readonly logs: string;
  readonly stackFile: string;
  readonly processesFile: string;
  readonly lock: string;
}

const MEMORY = "/dev/shm";
const PREFIX = "bulkhead-";

/** A container's /dev/shm is often 64 MB: browsers and databases in it would fill it. */
const ENOUGH_BYTES = 1024 ** 3;

/** The files of a stack below one folder; its state may lie elsewhere. */
export function stackPlaces(folder: string, state = join(folder, "state")): StackPlaces {
  return {
    folder,
    state,
    logs: join(folder, "logs"),
    stackFile: join(folder, "stack.json"),
    processesFile: join(folder, "processes.json"),
    lock: join(folder, "stack.lock"),
  };
}

/** A folder for temporary files, in memory where the machine has room for them there. */
function temporaryRoot(): string {
  if (!existsSync(MEMORY)) return tmpdir();
  const { bavail, bsize } = statfsSync(MEMORY);
  return bavail * bsize >= ENOUGH_BYTES ? MEMORY : tmpdir();
}

/**
 * Makes a temporary folder for state that ends with this process, in memory where there is one. Its
 * name says whose it is, and so those of processes that were killed are removed on the way.
 */
export async function makeTemporaryFolder(): Promise<string> {
  const root = temporaryRoot();
  await removeAbandoned(root);
  const mine = identify(process.pid);
  const folder = mkdtempSync(join(root, `${PREFIX}${process.pid}-${mine?.startTime ?? "0"}-`));
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return folder;
}

async function removeAbandoned(root: string): Promise<void> {
  for (const name of readdirSync(root)) {
    const owner = ownerOf(name);
    if (owner === null || isAlive(owner)) continue;
    const folder = join(root, name);
    await removeLeftovers(stackPlaces(folder).processesFile);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Whose temporary folder a name says it is, or null for a name of someone else's. */
export function ownerOf(name: string): { pid: number; startTime: string } | null {
  const match = /^bulkhead-(\d+)-(\d+)-\w+$/.exec(name);
  const [, pid, startTime] = match ?? [];
  return pid === undefined || startTime === undefined ? null : { pid: Number(pid), startTime };
}
