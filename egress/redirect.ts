import type { HeaderList } from "./request-headers.ts";

/** As many as any real chain needs; each costs a resolution and a connection. */
export const REDIRECTS_MAX = 5;

const REDIRECT_STATUSES: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** What a request says of its body; gone when a redirect drops the body. */
const BODY_HEADERS: ReadonlySet<string> = new Set([
  "content-encoding",
  "content-language",
  "content-location",
  "content-type",
]);

/** What proves who asks; never handed to another origin. */
const CREDENTIAL_HEADERS: ReadonlySet<string> = new Set(["authorization", "cookie"]);

/** One request of an exchange, ready to be checked and sent. */
export interface Hop {
  readonly method: string;
  readonly url: string;
  readonly headers: HeaderList;
  readonly body: Uint8Array | null;
}

/** Where a response asks its client to go, or `undefined` where it is no redirect. */
export function redirectLocation(status: number, headers: HeaderList): string | undefined {
  if (!REDIRECT_STATUSES.has(status)) return undefined;
  return headers.find(([name]) => name === "location")?.[1];
}

/** The request that follows a redirect (Fetch, "HTTP-redirect fetch"), or `undefined` where `location` is no URL. */
export function redirectedHop(hop: Hop, status: number, location: string): Hop | undefined {
  const from = new URL(hop.url);
  const to = URL.parse(location, from.href);
  if (to === null) return undefined;
  if (to.hash === "") to.hash = from.hash;

  const becomesGet =
    (status === 303 && hop.method !== "GET" && hop.method !== "HEAD") ||
    ((status === 301 || status === 302) && hop.method === "POST");
  const crossOrigin = to.origin !== from.origin;
  return {
    method: becomesGet ? "GET" : hop.method,
    url: to.href,
    headers: hop.headers.filter(
      ([name]) =>
        !(becomesGet && BODY_HEADERS.has(name)) && !(crossOrigin && CREDENTIAL_HEADERS.has(name)),
    ),
    body: becomesGet ? null : hop.body,
  };
}
