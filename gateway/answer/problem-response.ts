import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";

import { type Failure, retryAfterMs, toProblem } from "../../protocol/failure.ts";

export const PROBLEM_CONTENT_TYPE = "application/problem+json";

/** A failure as its caller sees it, with the request's id, and `Retry-After` where waiting helps. */
export function problemResponse(c: Context, failure: Failure, requestId: string): Response {
  const problem = { ...toProblem(failure), requestId };
  const wait = retryAfterMs(failure);
  if (wait !== undefined) c.header("Retry-After", String(Math.max(1, Math.ceil(wait / 1000))));
  if (failure.code === "method_not_allowed") c.header("Allow", failure.allow.join(", "));
  if (failure.code === "unauthenticated") c.header("WWW-Authenticate", "Bearer");
  c.header("Content-Type", PROBLEM_CONTENT_TYPE);
  c.header("Cache-Control", "no-store");
  return c.body(JSON.stringify(problem), problem.status as ContentfulStatusCode);
}
