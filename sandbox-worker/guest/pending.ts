import { ops } from "./ops.ts";
import { onBoot } from "./run-state.ts";

/** Host work that keeps a program alive: timers, fetches, crypto. Those of an ended run don't count. */
let pending = 0;
let whenIdle: (() => void) | null = null;

onBoot(() => {
  pending = 0;
  whenIdle = null;
});

/** Counts one more piece of host work under way. */
export function beginPending(): void {
  pending++;
}

/** Counts one piece of host work as done. */
export function endPending(): void {
  pending--;
  if (pending === 0 && whenIdle !== null) checkSoon();
}

/** Calls `done` once, when nothing is under way any more and no microtask is left that could start some. */
export function onIdle(done: () => void): void {
  whenIdle = done;
  if (pending === 0) checkSoon();
}

/** Timer id of the check itself: no `setTimeout` gives it. */
export const IDLE_CHECK_TIMER = 0;

function checkSoon(): void {
  // The host calls back only after every microtask has run.
  if (!ops.timerStart(IDLE_CHECK_TIMER, 0)) idleCheck();
}

/** The host's answer to `checkSoon`. */
export function idleCheck(): void {
  if (pending > 0 || whenIdle === null) return;
  const done = whenIdle;
  whenIdle = null;
  done();
}
