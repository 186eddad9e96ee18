import { checkUrl } from "../protocol/url-policy.ts";
import type { HostPolicy } from "../protocol/url-policy.ts";
import { EgressError } from "./egress-error.ts";
import type { EgressFailureKind } from "./egress-error.ts";
import { Exchange } from "./exchange.ts";
import { redirectedHop, redirectLocation, REDIRECTS_MAX } from "./redirect.ts";
import type { Hop } from "./redirect.ts";
import { sendableHeaders } from "./request-headers.ts";
import type { HeaderList } from "./request-headers.ts";
import { resolveBySystem, resolveTarget } from "./resolve.ts";
import type { Resolve } from "./resolve.ts";
import { ACCEPT_ENCODING, boundedBody, contentCodings } from "./response-body.ts";

export interface GuardedRequest extends Hop {
  readonly redirect: "follow" | "manual" | "error";
}

export interface EgressPolicy extends HostPolicy {
  /** The whole exchange: names, connections, redirects and the body. */
  readonly timeoutMs: number;
  /** Of the response's body, after decompression. */
  readonly maxBytes: number;
}

interface GuardedHead {
  readonly status: number;
  readonly statusText: string;
  /** Of the response, after redirects, without fragment. */
  readonly url: string;
  readonly redirected: boolean;
  readonly headers: HeaderList;
}

export type GuardedResponse =
  | {
      readonly ok: true;
      readonly head: GuardedHead;
      /**
       * To be read once. Reading may throw an `EgressError`. Ended, left early or failed, it closes
       * the connection; unread, the deadline or `signal` does.
       */
      readonly body: AsyncIterable<Uint8Array>;
    }
  | { readonly ok: false; readonly kind: EgressFailureKind; readonly message: string };

/**
 * Makes one HTTP exchange for someone who is not trusted.
 *
 * Each hop's URL is checked, its name resolved and every address checked, and the connection made
 * to one of exactly those addresses. Nothing outlives the exchange: no cookie, no connection, no
 * TLS session; no proxy variable is read. A failure is a value, and its message is fit for the
 * guest: it names ranges, never the addresses that a name has here.
 */
export async function guardedFetch(
  request: GuardedRequest,
  policy: EgressPolicy,
  signal: AbortSignal,
  resolve: Resolve = resolveBySystem,
): Promise<GuardedResponse> {
  const exchange = new Exchange(policy.timeoutMs, signal);
  try {
    const { redirect, ...asked } = request;
    const sendable = sendableHeaders(asked.headers);
    if (!sendable.ok) throw new EgressError(sendable.kind, `Cannot send ${sendable.reason}`);
    const method = sendableMethod(asked.method, asked.body);
    const first: Hop = { ...asked, method, headers: withDefaults(sendable.headers) };
    return await follow(first, redirect, policy, exchange, resolve);
  } catch (error) {
    await exchange.close();
    const { kind, message } = exchange.explain(error);
    return { ok: false, kind, message };
  }
}

async function follow(
  first: Hop,
  redirect: GuardedRequest["redirect"],
  policy: EgressPolicy,
  exchange: Exchange,
  resolve: Resolve,
): Promise<GuardedResponse> {
  let hop = first;
  for (let redirects = 0; ; redirects++) {
    const verdict = checkUrl(hop.url, policy);
    if (!verdict.allowed) throw new EgressError("denied", `Cannot fetch: ${verdict.reason}`);
    const { target } = verdict;
    const addresses = await resolveTarget(target, exchange.signal, resolve);
    const response = await exchange.send(hop, target, addresses);
    const headers = headerList(response.headers as unknown as readonly string[]);
    const { statusCode: status, statusText } = response;
    const location = redirect === "manual" ? undefined : redirectLocation(status, headers);
    if (location === undefined) {
      return receive(hop, response.body, policy.maxBytes, exchange, {
        status,
        statusText,
        url: withoutFragment(target.url),
        redirected: redirects > 0,
        headers,
      });
    }
    if (redirect === "error") throw new EgressError("network", "Cannot fetch: it was redirected");
    if (redirects === REDIRECTS_MAX) {
      throw new EgressError("network", `Cannot follow more than ${REDIRECTS_MAX} redirects`);
    }
    const next = redirectedHop(hop, status, location);
    if (next === undefined) throw new EgressError("network", "Cannot follow a malformed redirect");
    hop = next;
  }
}

function receive(
  hop: Hop,
  wire: AsyncIterable<Uint8Array>,
  maxBytes: number,
  exchange: Exchange,
  head: GuardedHead,
): GuardedResponse {
  const bodiless = hop.method === "HEAD" || head.status === 204 || head.status === 304;
  const codings = contentCodings(values(head.headers, "content-encoding"));
  if (codings === undefined) {
    throw new EgressError("network", "Cannot decode the response: its coding was not asked for");
  }
  const decodes = !bodiless && codings.length > 0;
  const [length] = values(head.headers, "content-length");
  if (!bodiless && !decodes && length !== undefined && Number(length) > maxBytes) {
    throw new EgressError("too_large", `Cannot take more than ${maxBytes} bytes of a response`);
  }
  return {
    ok: true,
    // The body is given decoded, so what was said of its coded form no longer holds.
    head: decodes ? { ...head, headers: withoutCoding(head.headers) } : head,
    body: exchange.body(boundedBody(wire, bodiless ? [] : codings, maxBytes)),
  };
}

function sendableMethod(asked: string, body: Uint8Array | null): string {
  const method = asked.toUpperCase();
  if (!/^[!#$%&'*+.^_`|~0-9A-Z-]{1,32}$/.test(method)) {
    throw new EgressError("denied", "Cannot send a malformed method");
  }
  if (method === "CONNECT" || method === "TRACE" || method === "TRACK") {
    throw new EgressError("denied", `Cannot send method ${method}`);
  }
  if (body !== null && (method === "GET" || method === "HEAD")) {
    throw new EgressError("denied", `Cannot send a body with method ${method}`);
  }
  return method;
}

/** What every client says where its user does not. */
function withDefaults(headers: HeaderList): HeaderList {
  const defaults: HeaderList = [
    ["accept", "*/*"],
    ["accept-encoding", ACCEPT_ENCODING],
    ["user-agent", "Bulkhead"],
  ];
  const said = new Set(headers.map(([name]) => name));
  return [...headers, ...defaults.filter(([name]) => !said.has(name))];
}

function headerList(raw: readonly string[]): HeaderList {
  const list: [string, string][] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    list.push([(raw[i] ?? "").toLowerCase(), raw[i + 1] ?? ""]);
  }
  return list;
}

const values = (headers: HeaderList, wanted: string): readonly string[] =>
  headers.filter(([name]) => name === wanted).map(([, value]) => value);

const withoutCoding = (headers: HeaderList): HeaderList =>
  headers.filter(([name]) => name !== "content-encoding" && name !== "content-length");

function withoutFragment(url: URL): string {
  const copy = new URL(url);
  copy.hash = "";
  return copy.href;
}
