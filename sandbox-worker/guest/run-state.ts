import type { GuestBoot } from "./host-ops.ts";
import { jsonParse } from "./primordials.ts";

/** One run: from its boot to its result, its failure, or the next boot. */
export interface Run {
  readonly boot: GuestBoot;
  ended: boolean;
  /** Aborts `ctx.signal`; there once somebody asked for the signal. */
  abort: (() => void) | null;
}

let current: Run | null = null;
const bootHooks: (() => void)[] = [];

/** Starts a new run; what an earlier one of the same instance left under way is dropped. */
export function beginRun(bootJson: string): void {
  current = { boot: jsonParse(bootJson) as GuestBoot, ended: false, abort: null };
  for (let i = 0; i < bootHooks.length; i++) bootHooks[i]?.();
}

/** The run under way; null before the first boot. */
export const currentRun = (): Run | null => current;

/** Calls `hook` at the beginning of each run from now on. */
export function onBoot(hook: () => void): void {
  bootHooks[bootHooks.length] = hook;
}
