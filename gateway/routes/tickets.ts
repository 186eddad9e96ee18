import { Hono } from "hono";

import { FailureError } from "../../protocol/failure.ts";
import { type TicketAnswer, TicketRequest } from "../../protocol/tenant-answers.ts";
import { unwrap } from "../answer/unwrap.ts";
import type { AppEnv } from "../app-env.ts";
import { authenticate, authorize } from "../middleware/authenticate.ts";
import { issuesOf } from "../request/issues.ts";
import { readJsonBody } from "../request/json-body.ts";

/** Tickets for what cannot send a header. */
export const tickets = new Hono<AppEnv>();

tickets.post("/v1/tickets", authenticate, authorize("read"), async (c) => {
  const { fields } = unwrap(await readJsonBody(c));
  const request = TicketRequest.safeParse(fields);
  if (!request.success) {
    throw new FailureError({ code: "malformed_request", issues: issuesOf(request.error) });
  }
  const { path } = request.data;
  const office = c.get("services").tickets;
  const { text, expiresAt } = await office.issue(c.get("principal"), path, Date.now());
  c.header("Cache-Control", "no-store");
  const ticket: TicketAnswer = {
    ticket: text,
    path,
    expiresAt: new Date(expiresAt).toISOString(),
  };
  return c.json(ticket, 201);
});
