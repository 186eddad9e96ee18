import { ops } from "../ops.ts";
import { beginPending, endPending } from "../pending.ts";
import { apply, mapClear, mapDelete, mapGet, mapSet, NativeMap } from "../primordials.ts";
import { onBoot } from "../run-state.ts";

interface Timer {
  readonly callback: (...args: unknown[]) => unknown;
  readonly args: unknown[];
  readonly ms: number;
  readonly repeats: boolean;
  /** A background timer keeps no program alive: it is nothing the program waits for. */
  readonly isBackground: boolean;
}

const timers = new NativeMap<number, Timer>();
let lastId = 0;

onBoot(() => mapClear(timers));

/** The longest delay; a longer one would have wrapped to none. Milliseconds, as everywhere on the web. */
const DELAY_MAX_MS = 2 ** 31 - 1;

function start(timer: Timer): number {
  const id = ++lastId;
  if (!ops.timerStart(id, timer.ms)) {
    throw new RangeError("Cannot start a timer: too much is pending in this run");
  }
  mapSet(timers, id, timer);
  if (!timer.isBackground) beginPending();
  return id;
}

function stop(id: number): void {
  const timer = mapGet(timers, id);
  if (timer === undefined) return;
  mapDelete(timers, id);
  ops.timerCancel(id);
  if (!timer.isBackground) endPending();
}

/** The host's word that a timer is due. Throws what the tenant's callback throws. */
export function timerDue(id: number): void {
  const timer = mapGet(timers, id);
  if (timer === undefined) return;
  if (timer.repeats) {
    if (!ops.timerStart(id, timer.ms)) stop(id);
    apply(timer.callback, globalThis, timer.args);
    return;
  }
  mapDelete(timers, id);
  try {
    apply(timer.callback, globalThis, timer.args);
  } finally {
    if (!timer.isBackground) endPending();
  }
}

/** Runs `callback` once after `ms` without keeping the program alive. */
export function startBackgroundTimer(callback: () => void, ms: number): number {
  return start({ callback, args: [], ms: delay(ms), repeats: false, isBackground: true });
}

function delay(ms: unknown): number {
  const number = Number(ms);
  return number > 0 && number <= DELAY_MAX_MS ? number : 0;
}

function toCallback(callback: unknown): (...args: unknown[]) => unknown {
  if (typeof callback === "function") return callback as (...args: unknown[]) => unknown;
  throw new TypeError("Cannot start a timer: its callback is not a function");
}

export function setTimeout(callback: unknown, ms?: unknown, ...args: unknown[]): number {
  const after = delay(ms);
  return start({
    callback: toCallback(callback),
    args,
    ms: after,
    repeats: false,
    isBackground: false,
  });
}

export function setInterval(callback: unknown, ms?: unknown, ...args: unknown[]): number {
  // A period of nothing would never let the host do anything else.
  const period = Math.max(1, delay(ms));
  return start({
    callback: toCallback(callback),
    args,
    ms: period,
    repeats: true,
    isBackground: false,
  });
}

export function clearTimeout(id?: unknown): void {
  stop(Number(id));
}

export function clearInterval(id?: unknown): void {
  stop(Number(id));
}
