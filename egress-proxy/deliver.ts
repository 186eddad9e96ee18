import type { EgressFailureKind } from "../egress/egress-error.ts";
import { guardedFetch } from "../egress/guarded-fetch.ts";
import type { Delivery } from "../protocol/egress-api.ts";
import { parseNetPattern } from "../protocol/net-permission.ts";
import type { EgressConfig } from "./config.ts";

/** A receiver's answer is not read: its connection is closed after the head. */
const RESPONSE_MAX_BYTES = 0;

/** A tenant names the receiver of its own jobs' ends: any public host may be one. */
const ANY_HOST = [parseNetPattern("*")].filter((pattern) => pattern !== undefined);

/** What came of a delivery: the receiver's status, or why there is none. */
export type Delivered =
  | { readonly kind: "answered"; readonly status: number }
  | { readonly kind: "failed"; readonly why: EgressFailureKind };

/** Sends one webhook to where its tenant wants it, if that may be asked. Follows no redirect. */
export async function deliver(
  { url, headers, body }: Delivery,
  { deliverTimeoutMs, allowPrivateHosts }: EgressConfig,
  signal: AbortSignal,
): Promise<Delivered> {
  const answer = await guardedFetch(
    {
      method: "POST",
      url,
      headers: Object.entries(headers),
      body: Buffer.from(body),
      redirect: "manual",
    },
    {
      net: ANY_HOST,
      allowPrivateHosts,
      timeoutMs: deliverTimeoutMs,
      maxBytes: RESPONSE_MAX_BYTES,
    },
    signal,
  );
  if (!answer.ok) return { kind: "failed", why: answer.kind };
  await discard(answer.body);
  return { kind: "answered", status: answer.head.status };
}

/** Left at once, a body closes its connection. */
async function discard(body: AsyncIterable<Uint8Array>): Promise<void> {
  await body[Symbol.asyncIterator]().return?.();
}
