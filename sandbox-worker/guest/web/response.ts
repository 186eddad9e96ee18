import { registerAsyncForm, registerResultForm } from "../result/forms.ts";
import { Body, type BodySource, extractBody } from "./body.ts";
import { freezeHeaders, headerEntries, Headers } from "./headers.ts";
import { toDomText } from "./idl.ts";
import { showAs } from "./show-as.ts";
import { URL } from "./url.ts";
import { decodeUtf8 } from "./utf-8.ts";

const NULL_BODY_STATUS = new Set([101, 103, 204, 205, 304]);
const REDIRECT_STATUS = new Set([301, 302, 303, 307, 308]);
const REASON_PHRASE = /^[\t\x20-\x7e\x80-\xff]*$/;

type Init = Readonly<{ status?: unknown; statusText?: unknown; headers?: unknown }>;

/** What a response is besides its init: how it came about. */
interface Nature {
  readonly type: "default" | "basic" | "error";
  readonly url: string;
  readonly redirected: boolean;
}

let build: (source: BodySource, init: Init, nature: Nature) => Response;
const OWN: Nature = { type: "default", url: "", redirected: false };

/** An answer: one that was fetched, or one of the program's own. */
export class Response extends Body {
  #status: number;
  readonly #statusText: string;
  readonly #headers: Headers;
  #nature = OWN;

  constructor(body?: unknown, init?: Init | null) {
    const { source, type } = extractBody(body);
    super(source);
    const status = init?.status === undefined ? 200 : Math.trunc(Number(init.status));
    if (!(status >= 200 && status <= 599)) {
      throw new RangeError(`Cannot make a Response with status ${status}: it must be 200 to 599`);
    }
    const statusText = init?.statusText === undefined ? "" : toDomText(init.statusText);
    if (!REASON_PHRASE.test(statusText)) {
      throw new TypeError("Cannot make a Response: its status text has a line break or worse");
    }
    if (source.kind !== "none" && NULL_BODY_STATUS.has(status)) {
      throw new TypeError(`Cannot make a Response with status ${status}: it has a body`);
    }
    this.#status = status;
    this.#statusText = statusText;
    this.#headers = new Headers(init?.headers);
    if (type !== null && !this.#headers.has("content-type"))
      this.#headers.set("content-type", type);
  }

  static {
    build = (source, init, nature) => {
      const response = new Response(null, init);
      response.giveBody(source);
      response.#nature = nature;
      if (nature.type === "error") response.#status = 0;
      if (nature.type !== "default") freezeHeaders(response.#headers);
      return response;
    };
    registerResultForm((value) => (#nature in value ? { value: value.#parts() } : null));
    registerAsyncForm((value) =>
      typeof value === "object" && value !== null && #nature in value ? value.#whole() : null,
    );
  }

  static error(): Response {
    return build({ kind: "none" }, {}, { ...OWN, type: "error" });
  }
  static json(data: unknown, init?: Init | null): Response {
    const text = JSON.stringify(data) as string | undefined;
    if (text === undefined)
      throw new TypeError("Cannot make a Response: JSON can't carry the value");
    const headers = new Headers(init?.headers);
    if (!headers.has("content-type")) headers.set("content-type", "application/json");
    return new Response(text, { ...init, headers });
  }
  static redirect(url: unknown, status: unknown = 302): Response {
    const code = Number(status);
    if (!REDIRECT_STATUS.has(code)) throw new RangeError(`Cannot redirect with status ${code}`);
    return new Response(null, { status: code, headers: { location: new URL(url).href } });
  }

  protected override contentType(): string | null {
    return this.#headers.get("content-type");
  }

  get status(): number {
    return this.#status;
  }
  get ok(): boolean {
    return this.#status >= 200 && this.#status <= 299;
  }
  get statusText(): string {
    return this.#statusText;
  }
  get headers(): Headers {
    return this.#headers;
  }
  get type(): string {
    return this.#nature.type;
  }
  get url(): string {
    return this.#nature.url;
  }
  get redirected(): boolean {
    return this.#nature.redirected;
  }

  clone(): Response {
    const source = this.teeBody();
    const { status, statusText, headers } = this;
    if (status === 0) return Response.error();
    const copy = build(source, { status, statusText, headers }, this.#nature);
    return copy;
  }

  #parts(): object {
    return {
      status: this.#status,
      statusText: this.#statusText,
      headers: [...headerEntries(this.#headers)],
    };
  }
  /** As a run's result: the body is text where it is UTF-8, bytes where not, null where there is none. */
  async #whole(): Promise<unknown> {
    const bytes = await this.bytes();
    let body: string | Uint8Array | null = null;
    if (bytes.length > 0) {
      try {
        body = decodeUtf8(bytes, true);
      } catch {
        body = bytes;
      }
    }
    return { ...this.#parts(), body };
  }
  get [Symbol.toStringTag](): string {
    return "Response";
  }
}

/** A response that was fetched: its headers are as they came, and stay so. */
export function fetchedResponse(
  source: BodySource,
  init: Init,
  url: string,
  redirected: boolean,
): Response {
  return build(source, init, { type: "basic", url, redirected });
}

showAs(
  Response,
  "Response",
  ({ status, statusText, ok, url, redirected, type, headers, bodyUsed }) => ({
    status,
    statusText,
    ok,
    url,
    redirected,
    type,
    headers,
    bodyUsed,
  }),
);
