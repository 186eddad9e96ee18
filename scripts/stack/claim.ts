import { withLock } from "../lock.mjs";
import { identify } from "../process-identity.mjs";
import { type StackPlaces, stackPlaces } from "./places.ts";
import {
  liveSupervisor,
  type ProcessRecord,
  readProcesses,
  removeLeftovers,
  SUPERVISOR,
  writeProcesses,
} from "./processes.ts";
import { removeStackFile } from "./stack-file.ts";

/** Why no stack can start in a folder now: another one runs there. Null when it can. */
export function whyTaken(folder: string): string | null {
  const owner = liveSupervisor(readProcesses(stackPlaces(folder).processesFile));
  return owner === null
    ? null
    : `Cannot start: a stack runs in this folder already (pid ${owner.pid})`;
}

/**
 * Makes a folder this process's own, after ending what a killed stack left in it.
 *
 * @returns The names of what was still running.
 * @throws When another stack runs there.
 */
export function claimFolder(places: StackPlaces): Promise<readonly string[]> {
  return withLock(places.lock, async () => {
    const taken = whyTaken(places.folder);
    if (taken !== null) throw new Error(taken);
    const removed = await removeLeftovers(places.processesFile);
    removeStackFile(places.stackFile);
    writeProcesses(places.processesFile, [thisProcess()]);
    return removed;
  });
}

/** The supervisor's own record. */
export function thisProcess(): ProcessRecord {
  const identity = identify(process.pid);
  if (identity === null) throw new Error("Cannot read when this process started");
  return { name: SUPERVISOR, ...identity };
}
