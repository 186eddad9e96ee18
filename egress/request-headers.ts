/** Names and values, in order, names in any case. */
export type HeaderList = readonly (readonly [name: string, value: string])[];

/** Of a request's headers together. Servers refuse more, and it is not what a cap on bodies counts. Bytes. */
export const REQUEST_HEADER_MAX_BYTES = 32_768;

/**
 * What the client side of a connection says for itself. From a guest these could split one request
 * into two, name another host than the checked one, or speak to a proxy on the way.
 */
const OWN_HEADERS: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "expect",
  "host",
  "http2-settings",
  "keep-alive",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

export type HeadersVerdict =
  | { readonly ok: true; readonly headers: HeaderList }
  | { readonly ok: false; readonly kind: "denied" | "too_large"; readonly reason: string };

/**
 * The headers that may be sent of those asked for: names lower-case, those that the connection
 * says itself left out in silence, as a browser does. A malformed one refuses the request.
 */
export function sendableHeaders(
  asked: HeaderList,
  maxBytes = REQUEST_HEADER_MAX_BYTES,
): HeadersVerdict {
  const headers: [string, string][] = [];
  let bytes = 0;
  for (const [name, value] of asked) {
    bytes += name.length + value.length + 4;
    if (bytes > maxBytes) {
      return { ok: false, kind: "too_large", reason: `headers of more than ${maxBytes} bytes` };
    }
    if (!TOKEN.test(name)) return { ok: false, kind: "denied", reason: "a malformed header name" };
    const lower = name.toLowerCase();
    if (!FIELD_VALUE.test(value)) {
      return { ok: false, kind: "denied", reason: `a malformed value of header "${lower}"` };
    }
    headers.push([lower, value]);
  }
  const nominated = new Set(
    headers
      .filter(([name]) => name === "connection")
      .flatMap(([, value]) => value.split(","))
      .map((option) => option.trim().toLowerCase()),
  );
  return {
    ok: true,
    headers: headers.filter(
      ([name]) =>
        !OWN_HEADERS.has(name) &&
        !name.startsWith("proxy-") &&
        // HTTP/1.0's way of saying "for this hop only".
        !nominated.has(name),
    ),
  };
}
