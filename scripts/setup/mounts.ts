import { readFileSync } from "node:fs";

import { runCommand } from "./run-command.ts";

const UNMOUNT_TIMEOUT_MS = 10_000;

/** Unmounts whatever is mounted in a folder. A Docker engine that was killed leaves such mounts. */
export async function unmountBelow(folder: string): Promise<void> {
  for (const path of mountsBelow(folder, readFileSync("/proc/self/mountinfo", "utf8"))) {
    await runCommand("umount", ["--lazy", path], { timeoutMs: UNMOUNT_TIMEOUT_MS });
  }
}

/** The mount points in a folder, the innermost first, out of the kernel's list. */
export function mountsBelow(folder: string, mountinfo: string): readonly string[] {
  return mountinfo
    .split("\n")
    .map((line) => unescape(line.split(" ")[4] ?? ""))
    .filter((path) => path.startsWith(`${folder}/`))
    .toSorted((a, b) => b.length - a.length);
}

/** The kernel writes a space in a path as \040. */
function unescape(path: string): string {
  return path.replaceAll(/\\(\d{3})/g, (_, octal: string) => {
    return String.fromCodePoint(Number.parseInt(octal, 8));
  });
}
