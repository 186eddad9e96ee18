import { z } from "zod";

/**
 * What the edge and the egress proxy say to each other. Every request is signed (`signature.ts`).
 *
 * `POST /v1/deliver` with a `Delivery`: the proxy resolves the URL's host, checks and connects to
 * the checked address itself, sends the body by POST and follows no redirect. 204 with
 * `Bulkhead-Delivered-Status`: the receiver's status; its body is not passed on. 403: the URL or
 * its address is not allowed. 504: the receiver was too slow. 502: it cannot be reached.
 */
export const DELIVER_PATH = "/v1/deliver";

export const DELIVERED_STATUS_HEADER = "Bulkhead-Delivered-Status";

export const Delivery = z.strictObject({
  url: z.string().max(8192),
  headers: z.record(z.string().max(256), z.string().max(8192)),
  body: z.string(),
});
export type Delivery = z.infer<typeof Delivery>;
