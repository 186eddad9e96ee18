import { Hono } from "hono";

import type { AppEnv } from "../app-env.ts";

/**
 * Whether the gateway is up. Open to anyone, so it says no more than that. A configuration that
 * cannot be read never gets here: every route answers with the problem.
 */
export const health = new Hono<AppEnv>();

health.get("/healthz", (c) => c.json({ status: "ok" }));
health.get("/readyz", (c) => c.json({ status: "ready" }));
