import { z } from "zod";

import { HealthReport } from "./container-api.ts";

/** How one executor is: answer of `GET /health/executors/{id}`. */
export const ExecutorHealth = z.strictObject({
  /** As runs name it: `sandbox-1`, `container-1`. */
  name: z.string(),
  lane: z.enum(["isolate", "container"]),
  ready: z.boolean(),
  /** Why it is not. */
  reason: z.string().nullable(),
  /** What its `/readyz` says; null where it does not answer. */
  readiness: z.record(z.string(), z.unknown()).nullable(),
  /** What its containers use, where one container-executor was asked for by its name. */
  containers: HealthReport.nullable(),
});
export type ExecutorHealth = z.infer<typeof ExecutorHealth>;

/** Answer of `GET /health/executors`. */
export const ExecutorsAnswer = z.strictObject({ executors: z.array(ExecutorHealth) });
