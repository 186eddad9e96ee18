import { type HostOps, OP_NAMES } from "./host-ops.ts";

/** The host's callbacks in the order of `OP_NAMES`: the arguments of the function that this bundle is. */
declare const hostCallbacks: ArrayLike<unknown>;

function nameOps(): HostOps {
  const named: Record<string, unknown> = {};
  for (let i = 0; i < OP_NAMES.length; i++) named[OP_NAMES[i] as string] = hostCallbacks[i];
  return named as unknown as HostOps;
}

/** The host's callbacks. Reachable from this bundle only, never from the tenant's code. */
export const ops: HostOps = nameOps();
