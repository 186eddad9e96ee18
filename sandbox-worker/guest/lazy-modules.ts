// oxlint-disable typescript/consistent-type-imports -- a static import, even of types alone, reads as if it ran
/**
 * The library: the parts that most runs never touch, in a script of their own. Each is in it as a
 * function that has not run: the first call runs it, later ones answer what it made. What it
 * imports of the core is the core's own, not a copy.
 */
export const load = {
  abort: () => require("./web/abort.ts") as typeof import("./web/abort.ts"),
  atob: () => require("./web/atob.ts") as typeof import("./web/atob.ts"),
  blob: () => require("./web/blob.ts") as typeof import("./web/blob.ts"),
  clone: () => require("./web/structured-clone.ts") as typeof import("./web/structured-clone.ts"),
  compression: () => require("./web/compression.ts") as typeof import("./web/compression.ts"),
  crypto: () => require("./web/crypto.ts") as typeof import("./web/crypto.ts"),
  cryptoKey: () => require("./web/crypto-key.ts") as typeof import("./web/crypto-key.ts"),
  deno: () => require("./deno.ts") as typeof import("./deno.ts"),
  domException: () => require("./web/dom-exception.ts") as typeof import("./web/dom-exception.ts"),
  events: () => require("./web/events.ts") as typeof import("./web/events.ts"),
  fetch: () => require("./web/fetch.ts") as typeof import("./web/fetch.ts"),
  formData: () => require("./web/form-data.ts") as typeof import("./web/form-data.ts"),
  globalEvents: () => require("./web/global-events.ts") as typeof import("./web/global-events.ts"),
  headers: () => require("./web/headers.ts") as typeof import("./web/headers.ts"),
  inspect: () => require("./console/inspect.ts") as typeof import("./console/inspect.ts"),
  messages: () => require("./web/messages.ts") as typeof import("./web/messages.ts"),
  multipart: () => require("./web/multipart.ts") as typeof import("./web/multipart.ts"),
  navigator: () => require("./web/navigator.ts") as typeof import("./web/navigator.ts"),
  performance: () => require("./web/performance.ts") as typeof import("./web/performance.ts"),
  request: () => require("./web/request.ts") as typeof import("./web/request.ts"),
  response: () => require("./web/response.ts") as typeof import("./web/response.ts"),
  streams: () => require("./web/streams.ts") as typeof import("./web/streams.ts"),
  subtle: () => require("./web/subtle.ts") as typeof import("./web/subtle.ts"),
  textCodec: () => require("./web/text-codec.ts") as typeof import("./web/text-codec.ts"),
  textStreams: () => require("./web/text-streams.ts") as typeof import("./web/text-streams.ts"),
  url: () => require("./web/url.ts") as typeof import("./web/url.ts"),
  urlPattern: () => require("./web/url-pattern.ts") as typeof import("./web/url-pattern.ts"),
  urlSearchParams: () =>
    require("./web/url-search-params.ts") as typeof import("./web/url-search-params.ts"),
} as const;
