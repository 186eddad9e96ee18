import { createMiddleware } from "hono/factory";

import { FailureError } from "../../protocol/failure.ts";
import { unwrap } from "../answer/unwrap.ts";
import type { AppEnv } from "../app-env.ts";
import { credentialOf, principalOf } from "./authenticate.ts";

/**
 * As `authenticate`, for routes that pages and WebSockets open: without a header, `?ticket=` says
 * who asks. It opens the path it was made for, once. A key in an address is refused: addresses are
 * logged.
 */
export const authenticateByTicket = createMiddleware<AppEnv>(async (c, next) => {
  const { tickets, gate } = c.get("services");
  const text = c.req.query("ticket");
  if (credentialOf(c.req.raw) !== undefined || text === undefined) {
    c.set("principal", await principalOf(c.req.raw, c.get("services")));
    return next();
  }
  const ticket = await tickets.read(text, Date.now());
  if (ticket === undefined) throw refused("the ticket is not one of ours, or too old");
  if (ticket.path !== c.req.path) throw refused("the ticket is for another path");
  unwrap(await gate.useTicket(ticket.principal.tenant, ticket.id));
  c.set("principal", ticket.principal);
  return next();
});

const refused = (reason: string): FailureError =>
  new FailureError({ code: "unauthenticated", reason });
