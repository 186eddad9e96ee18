import type { Context } from "hono";

import type { FollowRequest } from "../../durable-objects/job-contract.ts";
import { FailureError } from "../../protocol/failure.ts";
import type { JobSummary } from "../../protocol/job.ts";
import type { AppEnv } from "../app-env.ts";
import { sandboxed } from "./job-answer.ts";
import { NDJSON, SSE } from "./run-stream.ts";
import { unwrap } from "./unwrap.ts";

/** Answers with a job's events as they come. The client that leaves is the job's to notice. */
export async function answerJobStream(
  c: Context<AppEnv>,
  tenant: string,
  { id, state }: Pick<JobSummary, "id" | "state">,
  request: FollowRequest,
): Promise<Response> {
  const { jobs } = c.get("services");
  const followed = unwrap(await jobs.follow(tenant, id, request));
  if (state === "queued") c.executionCtx.waitUntil(jobs.introduce(tenant, id));
  if (followed.kind === "dropped") throw droppedAt(request.after, followed.oldest);
  sandboxed(c);
  c.header("Content-Type", (request.format === "sse" ? SSE : NDJSON).contentType);
  return c.body(followed.body);
}

/** A follower's next event is no longer kept. */
export const droppedAt = (after: number, oldest: number): FailureError =>
  new FailureError({
    code: "gone",
    what: `the events after number ${after}, of which number ${oldest} is the oldest that is kept,`,
  });
