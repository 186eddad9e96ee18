import { readFileSync, rmSync } from "node:fs";

import { z } from "zod";

import { writePrivately } from "./atomic-file.ts";

const LaneState = z.object({ ready: z.boolean(), reason: z.string() });
const Pid = z.number().int().nullable();

const StackFile = z.object({
  gateway: z.url(),
  dashboard: z.url().nullable(),
  tenant: z.string(),
  key: z.string(),
  adminToken: z.string(),
  lanes: z.object({ isolate: LaneState, browser: LaneState, container: LaneState }),
  /** The processes that serve, not those that watch them; null where there is none. */
  pids: z.object({
    gateway: Pid,
    "sandbox-worker": Pid,
    "container-executor": Pid,
    dockerd: Pid,
  }),
});

/** What a tool needs to talk to the local stack. */
export type StackFile = z.infer<typeof StackFile>;

export function writeStackFile(path: string, stack: StackFile): void {
  writePrivately(path, `${JSON.stringify(stack, null, 2)}\n`);
}

export function removeStackFile(path: string): void {
  rmSync(path, { force: true });
}

/** @throws When no stack wrote this file, or something else did. */
export function readStackFile(path: string): StackFile {
  return StackFile.parse(JSON.parse(readFileSync(path, "utf8")));
}
