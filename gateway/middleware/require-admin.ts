import { createMiddleware } from "hono/factory";

import { FailureError } from "../../protocol/failure.ts";
import type { AppEnv } from "../app-env.ts";
import { bearerOf } from "./authenticate.ts";

const encoder = new TextEncoder();

/** Lets in only who has the `ADMIN_TOKEN`; takes as long for a token almost right as for another. */
export const requireAdmin = createMiddleware<AppEnv>(async (c, next) => {
  const { adminToken } = c.get("services").config;
  const given = await digest(bearerOf(c.req.raw) ?? "");
  if (!crypto.subtle.timingSafeEqual(given, await digest(adminToken))) {
    const reason = "the operator's token is needed";
    throw new FailureError({ code: "unauthenticated", reason });
  }
  await next();
});

/** Digests have one length, so comparing them tells nothing of the token's. */
const digest = (text: string): Promise<ArrayBuffer> =>
  crypto.subtle.digest("SHA-256", encoder.encode(text));
