import { registerResultForm } from "../result/forms.ts";
import { type AbortSignal, AbortController, onAbort } from "./abort.ts";
import { Body, type BodySource, extractBody } from "./body.ts";
import { Headers } from "./headers.ts";
import { toDomText, toText } from "./idl.ts";
import { showAs } from "./show-as.ts";
import { URL } from "./url.ts";

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const NORMALIZED = new Set(["DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"]);
const FORBIDDEN = new Set(["CONNECT", "TRACE", "TRACK"]);
const REDIRECTS = new Set(["follow", "error", "manual"]);
export type Redirect = "follow" | "error" | "manual";

type Init = Readonly<Record<string, unknown>>;

let takeSource: (request: Request) => BodySource;

/** A request to be made, or one that came in. What only browsers do is accepted and says its default. */
export class Request extends Body {
  readonly #method: string;
  readonly #url: string;
  readonly #headers: Headers;
  readonly #redirect: Redirect;
  readonly #signal: AbortSignal;

  constructor(input: unknown, init?: Init | null) {
    if (arguments.length === 0) throw new TypeError("Cannot make a Request: it needs a URL");
    const from = input instanceof Request ? input : null;
    const given = init ?? {};
    const method = methodOf(given["method"], from?.method ?? "GET");
    const url = from === null ? parseUrl(input) : from.url;
    const headers = new Headers(given["headers"] ?? from?.headers);
    const { source, type } = bodyOf(given["body"], method, from);
    super(source);
    if (type !== null && !headers.has("content-type")) headers.set("content-type", type);
    this.#method = method;
    this.#url = url;
    this.#headers = headers;
    this.#redirect = redirectOf(given["redirect"] ?? from?.redirect ?? "follow");
    this.#signal = followSignal(given["signal"] === undefined ? from?.signal : given["signal"]);
  }

  static {
    takeSource = (request) => request.takeBody();
    registerResultForm((value) =>
      #method in value
        ? { value: { method: value.#method, url: value.#url, headers: value.#headers } }
        : null,
    );
  }

  protected override contentType(): string | null {
    return this.#headers.get("content-type");
  }

  get method(): string {
    return this.#method;
  }
  get url(): string {
    return this.#url;
  }
  get headers(): Headers {
    return this.#headers;
  }
  get redirect(): Redirect {
    return this.#redirect;
  }
  get signal(): AbortSignal {
    return this.#signal;
  }
  get destination(): string {
    return "";
  }
  get referrer(): string {
    return "about:client";
  }
  get referrerPolicy(): string {
    return "";
  }
  get mode(): string {
    return "cors";
  }
  get credentials(): string {
    return "same-origin";
  }
  get cache(): string {
    return "default";
  }
  get integrity(): string {
    return "";
  }
  get keepalive(): boolean {
    return false;
  }
  get duplex(): string {
    return "half";
  }

  clone(): Request {
    const source = this.teeBody();
    const copy = new Request(this.#url, {
      method: this.#method,
      headers: this.#headers,
      redirect: this.#redirect,
      signal: this.#signal,
    });
    copy.giveBody(source);
    return copy;
  }
  get [Symbol.toStringTag](): string {
    return "Request";
  }
}

/** The body of a request on its way out; the request counts as read. */
export const takeRequestBody = (request: Request): BodySource => takeSource(request);

function methodOf(given: unknown, inherited: string): string {
  if (given === undefined) return inherited;
  const method = toDomText(given);
  const upper = method.toUpperCase();
  if (!TOKEN.test(method) || FORBIDDEN.has(upper)) {
    throw new TypeError(`Cannot make a Request with method "${method}"`);
  }
  return NORMALIZED.has(upper) ? upper : method;
}

function parseUrl(input: unknown): string {
  const url = new URL(toText(input));
  if (url.username !== "" || url.password !== "") {
    throw new TypeError("Cannot make a Request: its URL has credentials in it");
  }
  return url.href;
}

function redirectOf(given: unknown): Redirect {
  const mode = String(given);
  if (!REDIRECTS.has(mode)) throw new TypeError(`Cannot make a Request with redirect "${mode}"`);
  return mode as Redirect;
}

function bodyOf(
  given: unknown,
  method: string,
  from: Request | null,
): { source: BodySource; type: string | null } {
  const isBodiless = method === "GET" || method === "HEAD";
  if (given !== undefined && given !== null) {
    if (isBodiless) throw new TypeError(`Cannot make a ${method} Request: it has a body`);
    return extractBody(given);
  }
  if (from === null) return { source: { kind: "none" }, type: null };
  const source = takeSource(from);
  if (isBodiless && source.kind !== "none") {
    throw new TypeError(`Cannot make a ${method} Request: it has a body`);
  }
  return { source, type: null };
}

function followSignal(given: unknown): AbortSignal {
  const controller = new AbortController();
  if (given === undefined || given === null) return controller.signal;
  const signal = given as AbortSignal;
  if (signal.aborted) controller.abort(signal.reason);
  else onAbort(signal, () => controller.abort(signal.reason));
  return controller.signal;
}

showAs(Request, "Request", ({ method, url, headers, redirect, bodyUsed }) => ({
  method,
  url,
  headers,
  redirect,
  bodyUsed,
}));
