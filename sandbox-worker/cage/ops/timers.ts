import type { HostOps } from "../../guest/host-ops.ts";
import type { PendingOps } from "./pending-ops.ts";

/** Longest delay that a timer takes, as everywhere. Milliseconds. */
const DELAY_MAX_MS = 2 ** 31 - 1;

/** A run's timers. `due` is called with a timer's id, in the order they come due. */
export class RunTimers implements Pick<HostOps, "timerStart" | "timerCancel"> {
  readonly #pending: PendingOps;
  readonly #due: (id: number) => void;
  readonly #timers = new Map<number, NodeJS.Timeout | NodeJS.Immediate>();

  constructor(pending: PendingOps, due: (id: number) => void) {
    this.#pending = pending;
    this.#due = due;
  }

  timerStart(id: number, ms: number): boolean {
    this.timerCancel(id);
    if (!this.#pending.add()) return false;
    const fire = (): void => {
      if (!this.#timers.delete(id)) return;
      this.#pending.remove();
      this.#due(id);
    };
    const delay = Number.isFinite(ms) ? Math.min(Math.max(0, ms), DELAY_MAX_MS) : 0;
    this.#timers.set(id, delay === 0 ? setImmediate(fire) : setTimeout(fire, delay));
    return true;
  }

  timerCancel(id: number): void {
    const timer = this.#timers.get(id);
    if (timer === undefined) return;
    this.#timers.delete(id);
    this.#pending.remove();
    clear(timer);
  }

  abort(): void {
    for (const timer of this.#timers.values()) clear(timer);
    this.#timers.clear();
  }
}

function clear(timer: NodeJS.Timeout | NodeJS.Immediate): void {
  if ("ref" in timer && "refresh" in timer) clearTimeout(timer);
  else clearImmediate(timer);
}
