import { writeSync } from "node:fs";
import { isMainThread } from "node:worker_threads";

import type { WatchdogWord } from "../frames.ts";

const LAST_WORD_FD = 3;

/**
 * Tells the supervisor why this process dies, and dies. Works from either thread, whatever the
 * other is stuck in. Never returns.
 */
export function dieWith(word: WatchdogWord): never {
  try {
    writeSync(LAST_WORD_FD, `${word}\n`);
  } catch {
    // Nobody listens any more; dying is what matters.
  }
  die();
}

/** Ends this process at once: `process.exit` would wait for a thread that may never come back. */
export function die(): never {
  process.kill(process.pid, "SIGKILL");
  // The kernel shields process 1 of a namespace from itself. A supervisor that makes a cage one
  // kills it at its last word, and need not be waited for by more than a sleep.
  if (isMainThread) process.exit(1);
  for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}
