import { writeSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { Script } from "node:vm";

import type { WatchdogWord } from "../frames.ts";

const LAST_WORD_FD = 3;

/** Compiled before there is any guest, who must not find the syntax that it takes. */
const breakpoint = compileBreakpoint();

function compileBreakpoint(): Script {
  setFlagsFromString("--allow-natives-syntax");
  const script = new Script("%SystemBreak()");
  setFlagsFromString("--no-allow-natives-syntax");
  return script;
}

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
  // The kernel shields process 1 of a namespace, as a cage may be, from every signal that it sends
  // itself, but not from a fault of its own; V8's breakpoint is one, in any thread.
  return breakpoint.runInThisContext() as never;
}
