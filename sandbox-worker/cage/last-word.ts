import { writeSync } from "node:fs";

import type { WatchdogWord } from "../frames.ts";

const LAST_WORD_FD = 3;

/**
 * Tells the supervisor why this process dies, and dies. Works from either thread, whatever the
 * other is stuck in. Never returns, but where the process is pid 1 of its namespace: the kernel
 * shields that one from its own SIGKILL.
 */
export function dieWith(word: WatchdogWord): void {
  try {
    writeSync(LAST_WORD_FD, `${word}\n`);
  } catch {
    // Nobody listens any more; dying is what matters.
  }
  die();
}

/** Ends this process at once. `process.exit` would wait for a thread that may never come back. */
export function die(): void {
  process.kill(process.pid, "SIGKILL");
}
