import { readFileSync, rmSync } from "node:fs";

import { z } from "zod";

import { isAlive, type ProcessIdentity } from "../process-identity.mjs";
import { stopProcess } from "../stop-process.ts";
import { writePrivately } from "./atomic-file.ts";

const ProcessRecords = z.array(
  z.strictObject({ name: z.string(), pid: z.number().int(), startTime: z.string() }),
);

/** A process of a stack, named well enough that no later process is taken for it. */
export interface ProcessRecord extends ProcessIdentity {
  readonly name: string;
}

/** The name of the process that supervises the others. */
export const SUPERVISOR = "stack";

const GRACE_MS = 2_000;

/** What a processes file lists; nothing if there is none or it was cut short. */
export function readProcesses(path: string): readonly ProcessRecord[] {
  try {
    return ProcessRecords.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch {
    return [];
  }
}

export function writeProcesses(path: string, records: readonly ProcessRecord[]): void {
  writePrivately(path, `${JSON.stringify(records, null, 2)}\n`);
}

/** The supervisor that runs a stack now, or null. */
export function liveSupervisor(
  records: readonly ProcessRecord[],
  alive: (identity: ProcessIdentity) => boolean = isAlive,
): ProcessRecord | null {
  return records.find((record) => record.name === SUPERVISOR && alive(record)) ?? null;
}

/** The processes that a stack left when its supervisor was killed; none while that one lives. */
export function leftovers(
  records: readonly ProcessRecord[],
  alive: (identity: ProcessIdentity) => boolean = isAlive,
): readonly ProcessRecord[] {
  if (liveSupervisor(records, alive) !== null) return [];
  return records.filter((record) => record.name !== SUPERVISOR && alive(record));
}

/** Ends what a killed stack left, and forgets it. Returns the names of what was still there. */
export async function removeLeftovers(path: string): Promise<readonly string[]> {
  const left = leftovers(readProcesses(path));
  await Promise.all(left.map((record) => stopProcess(record, GRACE_MS)));
  rmSync(path, { force: true });
  return left.map((record) => record.name);
}
