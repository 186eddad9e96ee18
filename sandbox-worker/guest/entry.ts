import { deliver } from "./deliveries.ts";
import type { GuestEntry, Primitive } from "./host-ops.ts";
import { makeLibrary } from "./library.ts";
import { failCurrent } from "./outcome.ts";
import { idleCheck, IDLE_CHECK_TIMER } from "./pending.ts";
import { runMain } from "./run-main.ts";
import { beginRun } from "./run-state.ts";
import { reportRejection, reportUncaught } from "./uncaught.ts";
import { timerDue } from "./web/timers.ts";

function dispatch(kind: string, a: unknown, b: unknown, c: unknown): void {
  switch (kind) {
    case "boot":
      return beginRun(a as string);
    case "main":
      return runMain(a as object, b as string | null);
    case "threw":
      return failCurrent(a);
    case "rejected":
      return reportRejection(a as string | null, b as Primitive);
    case "library":
      return makeLibrary();
    case "timer":
      return a === IDLE_CHECK_TIMER ? idleCheck() : timerDue(a as number);
    default:
      return deliver(kind, a as number, b, c);
  }
}

/** The cage's one way in. What is thrown by whatever it runs fails the run, and goes no further. */
export const entry = ((kind: string, a: unknown, b: unknown, c: unknown): void => {
  try {
    dispatch(kind, a, b, c);
  } catch (thrown) {
    reportUncaught(thrown);
  }
}) as GuestEntry;
