import type { Context } from "hono";
import { Hono } from "hono";
import { accepts } from "hono/accepts";

import type { FollowRequest } from "../../durable-objects/job-contract.ts";
import { sandboxed } from "../answer/job-answer.ts";
import { answerJobStream, droppedAt } from "../answer/job-stream.ts";
import { unwrap } from "../answer/unwrap.ts";
import type { AppEnv } from "../app-env.ts";
import { authenticateByTicket } from "../middleware/authenticate-by-ticket.ts";
import { authorize } from "../middleware/authenticate.ts";
import { readCursor, readJobId } from "../request/job-query.ts";

/** A job's events: live, or those there are. */
export const jobEvents = new Hono<AppEnv>();

jobEvents.get("/v1/jobs/:id/events", authenticateByTicket, authorize("read"), async (c) => {
  const { tenant } = c.get("principal");
  const { jobs } = c.get("services");
  const jobId = unwrap(readJobId(c.req.param("id")));
  const lastEventId = c.req.header("Last-Event-ID") ?? c.req.query("last_event_id");
  const after = unwrap(readCursor(lastEventId, c.req.query("after")));
  const job = unwrap(await jobs.find(tenant, jobId));
  if (c.req.header("Upgrade")?.toLowerCase() === "websocket") {
    const page = unwrap(await jobs.events(tenant, jobId, after));
    if (page.kind === "dropped" && after > 0) throw droppedAt(after, page.oldest);
    if (job.state === "queued") c.executionCtx.waitUntil(jobs.introduce(tenant, jobId));
    return jobs.upgrade(tenant, jobId, upgradeRequest(after));
  }
  const format = formatOf(c);
  return format === "json"
    ? answerPage(c, tenant, jobId, after)
    : answerJobStream(c, tenant, job, { after, format, onLeave: "nothing" });
});

/** Those events that there are after a cursor, for callers that poll. */
async function answerPage(
  c: Context<AppEnv>,
  tenant: string,
  jobId: string,
  after: number,
): Promise<Response> {
  const page = unwrap(await c.get("services").jobs.events(tenant, jobId, after));
  if (page.kind === "dropped") throw droppedAt(after, page.oldest);
  sandboxed(c);
  c.header("Content-Type", "application/json");
  const { events, last, ended } = page;
  return c.body(`{"events":[${events.join(",")}],"last":${last},"ended":${ended}}`);
}

function formatOf(c: Context<AppEnv>): "json" | FollowRequest["format"] {
  const supports = ["text/event-stream", "application/x-ndjson", "application/json"];
  const type = accepts(c, { header: "Accept", supports, default: "text/event-stream" });
  if (type === "application/json") return "json";
  return type === "application/x-ndjson" ? "ndjson" : "sse";
}

/** What the job is asked with: its cursor alone, none of the caller's credentials. */
const upgradeRequest = (after: number): Request =>
  new Request(`https://job/events?after=${after}`, { headers: { Upgrade: "websocket" } });
