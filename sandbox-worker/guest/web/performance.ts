import { ops } from "../ops.ts";
import { onBoot } from "../run-state.ts";
import { EventTarget } from "./event-target.ts";
import { showAs } from "./show-as.ts";

let timeOrigin = Date.now() - ops.clock();
onBoot(() => {
  timeOrigin = Date.now() - ops.clock();
});

/** The run's own clock: it starts at 0 with the run. */
export class Performance extends EventTarget {
  get timeOrigin(): number {
    return timeOrigin;
  }
  now(): number {
    return ops.clock();
  }
  toJSON(): { timeOrigin: number } {
    return { timeOrigin };
  }
  override get [Symbol.toStringTag](): string {
    return "Performance";
  }
}

export const performance = new Performance();

showAs(Performance, "Performance", () => ({ timeOrigin }));
