import { z } from "zod";

import { Isolation } from "./sandbox-api.ts";
import { Usage } from "./tenant.ts";

/** One effective limit: what applies without a wish, the most that may be asked for, who said so. */
export const LimitAnswer = z.strictObject({
  name: z.string(),
  value: z.number().nullable().describe("null is unlimited"),
  unit: z.string(),
  maximum: z.number().nullable().describe("the most that a request may ask for"),
  setBy: z.string().describe("a variable, or the tenant's override"),
  maximumSetBy: z.string(),
});
export type LimitAnswer = z.infer<typeof LimitAnswer>;

/** Answer of `GET /v1/limits`. */
export const LimitsAnswer = z.strictObject({
  tenant: z.string(),
  limits: z.array(LimitAnswer),
  isolation: z.strictObject({ allowed: z.array(Isolation), setBy: z.string() }),
  net: z.strictObject({
    allowed: z.array(z.string()).nullable().describe("null is any public host"),
    setBy: z.string(),
  }),
  rates: z.array(
    z.strictObject({
      name: z.string(),
      quota: z.number(),
      windowS: z.number().nullable(),
      burst: z.number().nullable(),
      unit: z.string(),
      remaining: z.number(),
      moreInS: z.number().nullable(),
    }),
  ),
  concurrency: z.strictObject({ underWay: z.number(), maximum: z.number().nullable() }),
  usageToday: z.array(Usage),
});
export type LimitsAnswer = z.infer<typeof LimitsAnswer>;

/** Answer of `GET /v1/usage`: days without use are left out. */
export const UsageAnswer = z.strictObject({ tenant: z.string(), usage: z.array(Usage) });
export type UsageAnswer = z.infer<typeof UsageAnswer>;

/** Body of `POST /v1/tickets`. */
export const TicketRequest = z.strictObject({
  /** The one path that the ticket is to open, without a query. */
  path: z
    .string()
    .max(512)
    .regex(/^\/v1\/[A-Za-z0-9_/.-]+$/, { error: "must be a path below /v1/, without a query" }),
});
export type TicketRequest = z.infer<typeof TicketRequest>;

/** Answer of `POST /v1/tickets`: for `?ticket=`, once. */
export const TicketAnswer = z.strictObject({
  ticket: z.string(),
  path: z.string(),
  expiresAt: z.string(),
});
export type TicketAnswer = z.infer<typeof TicketAnswer>;
