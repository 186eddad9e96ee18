import type { Suite } from "../suite.ts";
import { besidePlain } from "./beside-plain.ts";

const PER_SECOND = 2;
const SECONDS = 8;
/** Even a quick look has to see a few arrivals. */
const LEAST_SECONDS = 3;
const SEED = 20_261_123;

/** The way of most jobs: a container that waits takes them. */
export const spare: Suite = {
  name: "spare",
  title: `Time to first output with a spare, open loop at ${PER_SECOND} jobs a second`,
  run: (context) =>
    besidePlain(context, {
      env: {},
      load: (scale) => ({
        kind: "open",
        perSecond: PER_SECOND,
        seconds: Math.max(LEAST_SECONDS, SECONDS * scale),
        seed: SEED,
      }),
      goals: {
        executor: { at: "most", bound: 1 / 100 },
        gateway: { at: "most", bound: 1 / 20 },
      },
      tailGoal: { at: "most", bound: 1 / 20 },
    }),
};
