import { execFile } from "node:child_process";
import { cpus, totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { median } from "./statistics.ts";

const run = promisify(execFile);

/** Below this many usable cores nothing is reported: the others' work would be in every number. */
export const USABLE_CORES_MIN = 1.8;

const SPIN_MS = 400;
const TRIES = 3;

/** What the numbers were measured on. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGib: number;
  readonly node: string;
  readonly v8: string;
  /** ISO 8601, UTC. */
  readonly date: string;
}

export function describeMachine(now: Date): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: cpus().length,
    memoryGib: Math.round(totalmem() / 2 ** 30),
    node: process.versions.node,
    v8: process.versions.v8,
    date: now.toISOString(),
  };
}

/**
 * How many cores two busy processes really get: what two get done together over what one gets done
 * alone. 2 on an idle machine of two or more real cores; less while somebody else uses it.
 */
export async function usableCores(): Promise<number> {
  const tries: number[] = [];
  for (let i = 0; i < TRIES; i++) {
    const alone = await spin();
    const [left, right] = await Promise.all([spin(), spin()]);
    tries.push((left + right) / alone);
  }
  return median(tries);
}

async function spin(): Promise<number> {
  const spinner = fileURLToPath(new URL("./spin.ts", import.meta.url));
  const { stdout } = await run(process.execPath, [spinner, String(SPIN_MS)]);
  return Number.parseInt(stdout, 10);
}
