import { Hono } from "hono";

import { FailureError } from "../../protocol/failure.ts";
import type { AppEnv } from "../app-env.ts";
import { requireAdmin } from "../middleware/require-admin.ts";

/**
 * Whether the gateway is up: open to anyone, so it says no more than that. How the executors are is
 * for operators. A configuration that cannot be read never gets here: every route answers with the
 * problem.
 */
export const health = new Hono<AppEnv>();

health.get("/healthz", (c) => c.json({ status: "ok" }));
health.get("/readyz", (c) => c.json({ status: "ready" }));

health.get("/health/executors", requireAdmin, async (c) =>
  c.json({ executors: await c.get("services").executors.all() }),
);

health.get("/health/executors/:id", requireAdmin, async (c) => {
  const executor = await c.get("services").executors.one(c.req.param("id"));
  if (executor === undefined) throw new FailureError({ code: "not_found", what: "this executor" });
  return c.json(executor);
});
