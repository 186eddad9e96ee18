import type { Suite } from "../suite.ts";
import { besidePlain } from "./beside-plain.ts";

const SECONDS = 5;
const MOST = 0.6;

/** Where no spare fits, each job has a container made for it. */
export const cold: Suite = {
  name: "cold",
  title: "Time to first output without a spare, one at a time",
  run: (context) =>
    besidePlain(context, {
      env: { CONTAINER_SPARES: "0", CONTAINER_SPARES_MAX: "0" },
      load: (scale) => ({ kind: "closed", callers: 1, seconds: SECONDS * scale }),
      goals: { executor: { at: "most", bound: MOST }, gateway: { at: "most", bound: MOST } },
      tailGoal: null,
    }),
};
