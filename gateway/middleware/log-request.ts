import { createMiddleware } from "hono/factory";

import type { AppEnv } from "../app-env.ts";

/** One structured line for each request: who, what, how it ended; nothing that a caller wrote. */
export const logRequest = createMiddleware<AppEnv>(async (c, next) => {
  if (!c.get("services").config.logRequests) return next();
  const startedAt = Date.now();
  await next();
  const principal = c.var.principal as AppEnv["Variables"]["principal"] | undefined;
  const line = {
    event: "request",
    requestId: c.get("requestId"),
    method: c.req.method,
    route: c.req.routePath,
    status: c.res.status,
    tenant: principal?.tenant ?? null,
    keyId: principal?.keyId ?? null,
    durationMs: Date.now() - startedAt,
  };
  // Text of one line: the runtime would spread an object over many, at a cost to every request.
  console.log(JSON.stringify(line));
});
