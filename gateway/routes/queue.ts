import { Hono } from "hono";

import { unwrap } from "../answer/unwrap.ts";
import type { AppEnv } from "../app-env.ts";
import { queueAnswer } from "../jobs/queue-answer.ts";
import { authenticate, authorize } from "../middleware/authenticate.ts";

/** How much waits and runs. */
export const queue = new Hono<AppEnv>();

queue.get("/v1/queue", authenticate, authorize("read"), async (c) => {
  const { jobs } = c.get("services");
  const [view, container, isolate] = await Promise.all([
    jobs.queue(c.get("principal").tenant),
    jobs.lane("container"),
    jobs.lane("isolate"),
  ]);
  return c.json(queueAnswer(unwrap(view), { container, isolate }));
});
