import { registerResultForm } from "../result/forms.ts";
import { registerBodyForm } from "./body-forms.ts";
import { type Pair, parseQuery, serializeQuery } from "./form-urlencoded.ts";
import { toDomText } from "./idl.ts";
import { encodeUtf8 } from "./utf-8.ts";

let access: {
  link(params: URLSearchParams, onChange: (query: string) => void): void;
  replace(params: URLSearchParams, query: string): void;
};

/** The parsed query of a URL, or one of its own; `application/x-www-form-urlencoded`. */
export class URLSearchParams {
  #pairs: Pair[] = [];
  #onChange: ((query: string) => void) | null = null;

  constructor(init: unknown = "") {
    if (typeof init === "object" || typeof init === "function") {
      this.#pairs = pairsOf(init as object | null);
    } else {
      const text = toDomText(init);
      this.#pairs = parseQuery(text.startsWith("?") ? text.slice(1) : text);
    }
  }

  static {
    access = {
      link(params, onChange) {
        params.#onChange = onChange;
      },
      replace(params, query) {
        params.#pairs = parseQuery(query);
      },
    };
    registerBodyForm((value) =>
      #pairs in value
        ? {
            bytes: encodeUtf8(serializeQuery(value.#pairs)),
            type: "application/x-www-form-urlencoded;charset=UTF-8",
          }
        : null,
    );
    registerResultForm((value) =>
      #pairs in value ? { value: serializeQuery(value.#pairs) } : null,
    );
  }

  get size(): number {
    return this.#pairs.length;
  }
  append(name: unknown, value: unknown): void {
    this.#pairs.push([text(name), text(value)]);
    this.#changed();
  }
  delete(name: unknown, value?: unknown): void {
    const key = text(name);
    const only = value === undefined ? undefined : text(value);
    this.#pairs = this.#pairs.filter(
      (pair) => pair[0] !== key || (only !== undefined && pair[1] !== only),
    );
    this.#changed();
  }
  get(name: unknown): string | null {
    const key = text(name);
    return this.#pairs.find((pair) => pair[0] === key)?.[1] ?? null;
  }
  getAll(name: unknown): string[] {
    const key = text(name);
    return this.#pairs.filter((pair) => pair[0] === key).map((pair) => pair[1]);
  }
  has(name: unknown, value?: unknown): boolean {
    const key = text(name);
    const only = value === undefined ? undefined : text(value);
    return this.#pairs.some((pair) => pair[0] === key && (only === undefined || pair[1] === only));
  }
  set(name: unknown, value: unknown): void {
    const key = text(name);
    const first = this.#pairs.findIndex((pair) => pair[0] === key);
    if (first === -1) this.#pairs.push([key, text(value)]);
    else {
      this.#pairs = this.#pairs.filter((pair, at) => at <= first || pair[0] !== key);
      this.#pairs[first] = [key, text(value)];
    }
    this.#changed();
  }
  sort(): void {
    this.#pairs.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    this.#changed();
  }
  forEach(each: (value: string, name: string, params: this) => void, self?: unknown): void {
    for (const [name, value] of this) each.call(self, value, name, this);
  }
  *entries(): IterableIterator<Pair> {
    // By index, since the list may change while it is walked.
    for (let i = 0; i < this.#pairs.length; i++) {
      const [name, value] = this.#pairs[i] as Pair;
      yield [name, value];
    }
  }
  *keys(): IterableIterator<string> {
    for (const [name] of this.entries()) yield name;
  }
  *values(): IterableIterator<string> {
    for (const [, value] of this.entries()) yield value;
  }
  [Symbol.iterator](): IterableIterator<Pair> {
    return this.entries();
  }
  toString(): string {
    return serializeQuery(this.#pairs);
  }
  #changed(): void {
    this.#onChange?.(serializeQuery(this.#pairs));
  }
  get [Symbol.toStringTag](): string {
    return "URLSearchParams";
  }
}

Object.defineProperty(URLSearchParams.prototype, Symbol.for("nodejs.util.inspect.custom"), {
  value(
    this: URLSearchParams,
    _depth: number,
    options: object,
    inspect: (value: unknown, options: object) => string,
  ): string {
    const shown = [...this].map(
      ([name, value]) => `${inspect(name, options)} => ${inspect(value, options)}`,
    );
    return shown.length === 0 ? "URLSearchParams {}" : `URLSearchParams { ${shown.join(", ")} }`;
  },
  configurable: true,
  writable: true,
});

/** The params of a URL: a change of theirs is told to `onChange`. */
export function linkedParams(query: string, onChange: (query: string) => void): URLSearchParams {
  const params = new URLSearchParams(query);
  access.link(params, onChange);
  return params;
}

/** Gives a URL's params what its new query says; tells nobody. */
export function replaceParams(params: URLSearchParams, query: string): void {
  access.replace(params, query.startsWith("?") ? query.slice(1) : query);
}

function pairsOf(init: object | null): Pair[] {
  if (init === null) return [["null", ""]];
  const iterate = (init as { [Symbol.iterator]?: unknown })[Symbol.iterator];
  if (iterate === undefined || iterate === null) {
    return Object.entries(init).map(([name, value]) => [text(name), text(value)]);
  }
  return Array.from(init as Iterable<Iterable<unknown>>, (pair) => {
    const parts = [...pair];
    if (parts.length !== 2) {
      throw new TypeError("Cannot make URLSearchParams: each pair must have a name and a value");
    }
    return [text(parts[0]), text(parts[1])];
  });
}

const text = (value: unknown): string => String(value).toWellFormed();
