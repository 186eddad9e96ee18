import { URL_PARTS } from "../host-ops.ts";
import { ops } from "../ops.ts";
import { toText } from "./idl.ts";
import { showAs } from "./show-as.ts";
import { linkedParams, replaceParams, type URLSearchParams } from "./url-search-params.ts";

type Part = (typeof URL_PARTS)[number];
type Parts = Record<Part, string>;

function parse(json: string): Parts {
  const values = JSON.parse(json) as string[];
  return Object.fromEntries(URL_PARTS.map((part, i) => [part, values[i] ?? ""])) as Parts;
}

/** A URL as the standard has it. The host parses: the tables for names in other scripts are its own. */
export class URL {
  #parts: Parts;
  #params: URLSearchParams | null = null;

  constructor(url: unknown, base?: unknown) {
    if (arguments.length === 0) throw new TypeError("Cannot make a URL: it needs a text");
    const text = toText(url);
    const baseText = base === undefined ? "" : toText(base);
    // The host reads "" as "no base", so an empty base is refused here.
    const json = base !== undefined && baseText === "" ? null : ops.urlParse(text, baseText);
    if (json === null) {
      const relative = base === undefined ? "" : ` with base "${baseText}"`;
      throw new TypeError(`Invalid URL: "${text}"${relative}`);
    }
    this.#parts = parse(json);
  }

  static canParse(url: unknown, base?: unknown): boolean {
    return URL.parse(url, base) !== null;
  }

  static parse(url: unknown, base?: unknown): URL | null {
    try {
      return new URL(url, base);
    } catch {
      return null;
    }
  }

  #set(part: Part, value: unknown): void {
    const json = ops.urlSet(this.#parts.href, part, toText(value));
    if (json !== null) this.#parts = parse(json);
  }

  get href(): string {
    return this.#parts.href;
  }
  set href(href: unknown) {
    this.#parts = new URL(href).#parts;
    if (this.#params !== null) replaceParams(this.#params, this.#parts.search);
  }
  get origin(): string {
    return this.#parts.origin;
  }
  get protocol(): string {
    return this.#parts.protocol;
  }
  set protocol(value: unknown) {
    this.#set("protocol", value);
  }
  get username(): string {
    return this.#parts.username;
  }
  set username(value: unknown) {
    this.#set("username", value);
  }
  get password(): string {
    return this.#parts.password;
  }
  set password(value: unknown) {
    this.#set("password", value);
  }
  get host(): string {
    return this.#parts.host;
  }
  set host(value: unknown) {
    this.#set("host", value);
  }
  get hostname(): string {
    return this.#parts.hostname;
  }
  set hostname(value: unknown) {
    this.#set("hostname", value);
  }
  get port(): string {
    return this.#parts.port;
  }
  set port(value: unknown) {
    this.#set("port", value);
  }
  get pathname(): string {
    return this.#parts.pathname;
  }
  set pathname(value: unknown) {
    this.#set("pathname", value);
  }
  get search(): string {
    return this.#parts.search;
  }
  set search(value: unknown) {
    this.#set("search", value);
    if (this.#params !== null) replaceParams(this.#params, this.#parts.search);
  }
  get searchParams(): URLSearchParams {
    this.#params ??= linkedParams(this.#parts.search, (query) => this.#set("search", query));
    return this.#params;
  }
  get hash(): string {
    return this.#parts.hash;
  }
  set hash(value: unknown) {
    this.#set("hash", value);
  }

  toString(): string {
    return this.#parts.href;
  }
  toJSON(): string {
    return this.#parts.href;
  }
  get [Symbol.toStringTag](): string {
    return "URL";
  }
}

for (const name of [...URL_PARTS, "searchParams", "toString", "toJSON"]) {
  Object.defineProperty(URL.prototype, name, { enumerable: true });
}

showAs(URL, "URL", (url) =>
  Object.fromEntries([...URL_PARTS, "searchParams"].map((part) => [part, url[part as Part]])),
);
