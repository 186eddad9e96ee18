import type ivm from "isolated-vm";

import type { HostOps } from "../../guest/host-ops.ts";
import { randomOps } from "./random.ts";
import { textOps } from "./text.ts";
import { urlOps } from "./url.ts";

/** Ops that need no run. */
type StatelessOps = typeof urlOps & typeof textOps & typeof randomOps;

/** Ops that act for the run under way. */
export type RunOps = Omit<HostOps, keyof StatelessOps | "library">;

/** Gives a realm the runtime's own second script, the one thing that is no primitive. */
type GiveLibrary = () => ivm.Dereference<object> | null;

/** What an op answers where no run is under way, or where it failed: a guest never sees our errors. */
const REFUSED = {
  log: undefined,
  timerStart: false,
  timerCancel: undefined,
  clock: 0,
  random: "",
  urlParse: null,
  urlSet: null,
  textDecode: null,
  textLabel: null,
  fetchStart: false,
  fetchCancel: undefined,
  cryptoStart: false,
  settle: undefined,
  fail: undefined,
  overflow: undefined,
  library: null,
} as const satisfies { readonly [Name in keyof HostOps]: ReturnType<HostOps[Name]> };

type Answer = string | number | boolean | null | undefined | ivm.Dereference<object>;
type Op = (...args: unknown[]) => Answer;

/**
 * The host's side of one realm. `current` gives the run that the realm serves at the moment of a
 * call; a run that has ended has no ops any more.
 */
export function createOps(
  current: () => RunOps | null,
  library: GiveLibrary,
): Record<keyof HostOps, Op> {
  const stateless = { ...urlOps, ...textOps, ...randomOps, library };
  const callback = (name: keyof HostOps): Op => {
    const refused = REFUSED[name];
    return (...args) => {
      try {
        const target: Partial<Record<keyof HostOps, unknown>> | null =
          name in stateless ? stateless : current();
        const op = target?.[name] as Op | undefined;
        return op === undefined ? refused : Reflect.apply(op, target, args);
      } catch {
        return refused;
      }
    };
  };
  const names = Object.keys(REFUSED) as (keyof HostOps)[];
  return Object.fromEntries(names.map((name) => [name, callback(name)])) as Record<
    keyof HostOps,
    Op
  >;
}
