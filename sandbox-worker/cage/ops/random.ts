import { randomBytes } from "node:crypto";

import type { HostOps } from "../../guest/host-ops.ts";

/** As `crypto.getRandomValues` allows at once. Bytes. */
const RANDOM_MAX = 65_536;

/** Randomness from the system's generator. */
export const randomOps: Pick<HostOps, "random"> = {
  random: (length) => randomBytes(Math.min(length, RANDOM_MAX)).toString("latin1"),
};
