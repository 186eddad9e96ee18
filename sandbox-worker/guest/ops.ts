import type { HostOps } from "./host-ops.ts";

const NAMES = [
  "log",
  "timerStart",
  "timerCancel",
  "clock",
  "random",
  "urlParse",
  "urlSet",
  "textDecode",
  "textLabel",
  "fetchStart",
  "fetchCancel",
  "cryptoStart",
  "settle",
  "fail",
  "overflow",
] as const satisfies readonly (keyof HostOps)[];

type Missing = Exclude<keyof HostOps, (typeof NAMES)[number]>;

/** Takes each op from the global object, where the cage left it, and deletes it there. */
function takeOps(): Pick<HostOps, Exclude<keyof HostOps, Missing>> {
  const taken: Record<string, unknown> = {};
  for (const name of NAMES) {
    const key = `__op_${name}`;
    taken[name] = Reflect.get(globalThis, key);
    Reflect.deleteProperty(globalThis, key);
  }
  return taken as unknown as HostOps;
}

/** The host's callbacks. Reachable from this bundle only, never from the tenant's code. */
export const ops: HostOps = takeOps();
