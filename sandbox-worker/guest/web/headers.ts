import { registerResultForm } from "../result/forms.ts";
import { showAs } from "./show-as.ts";

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const NOT_A_VALUE = /[\0\r\n]|[^\0-\xff]/;

type Entry = [name: string, value: string];

let access: { entries(headers: Headers): Entry[]; freeze(headers: Headers): void };

/** Header fields. Names are without case; what is set twice is joined, but for `Set-Cookie`. */
export class Headers {
  #entries: Entry[] = [];
  /** Null when something has changed since it was made. */
  #sortedEntries: readonly Entry[] | null = null;
  #isFrozen = false;

  constructor(init?: unknown) {
    if (init === undefined) return;
    if (typeof init !== "object" || init === null) {
      throw new TypeError("Cannot make Headers: neither an object nor a list of pairs was given");
    }
    for (const [name, value] of pairsOf(init)) this.append(name, value);
  }

  static {
    access = {
      entries: (headers) => headers.#entries,
      freeze(headers) {
        headers.#isFrozen = true;
      },
    };
    registerResultForm((value) => (#entries in value ? { value: value.#sorted() } : null));
  }

  append(name: unknown, value: unknown): void {
    this.#entries.push([this.#writable(name), toValue(value)]);
  }
  delete(name: unknown): void {
    const key = this.#writable(name);
    this.#entries = this.#entries.filter((entry) => entry[0] !== key);
  }
  get(name: unknown): string | null {
    const values = this.#values(toName(name));
    return values.length === 0 ? null : values.join(", ");
  }
  getSetCookie(): string[] {
    return this.#values("set-cookie");
  }
  has(name: unknown): boolean {
    return this.#values(toName(name)).length > 0;
  }
  set(name: unknown, value: unknown): void {
    const key = this.#writable(name);
    const entry: Entry = [key, toValue(value)];
    const first = this.#entries.findIndex(([other]) => other === key);
    if (first === -1) {
      this.#entries.push(entry);
      return;
    }
    this.#entries = this.#entries.filter(([other], at) => at <= first || other !== key);
    this.#entries[first] = entry;
  }
  forEach(each: (value: string, name: string, headers: this) => void, self?: unknown): void {
    for (const [name, value] of this) each.call(self, value, name, this);
  }
  *entries(): IterableIterator<Entry> {
    // Asked for anew at each step, since the list may change while it is walked.
    for (let i = 0; ; i++) {
      const entry = this.#sorted()[i];
      if (entry === undefined) return;
      yield [entry[0], entry[1]];
    }
  }
  *keys(): IterableIterator<string> {
    for (const [name] of this.entries()) yield name;
  }
  *values(): IterableIterator<string> {
    for (const [, value] of this.entries()) yield value;
  }
  [Symbol.iterator](): IterableIterator<Entry> {
    return this.entries();
  }

  #values(key: string): string[] {
    return this.#entries.filter((entry) => entry[0] === key).map((entry) => entry[1]);
  }
  #sorted(): readonly Entry[] {
    this.#sortedEntries ??= sortEntries(this.#entries);
    return this.#sortedEntries;
  }
  #writable(name: unknown): string {
    const key = toName(name);
    if (this.#isFrozen) throw new TypeError("Cannot change these headers: they are immutable");
    this.#sortedEntries = null;
    return key;
  }
  get [Symbol.toStringTag](): string {
    return "Headers";
  }
}

function sortEntries(entries: readonly Entry[]): readonly Entry[] {
  const joined = new Map<string, string[]>();
  for (const [name, value] of entries) {
    const values = joined.get(name);
    if (values === undefined) joined.set(name, [value]);
    else values.push(value);
  }
  const names = [...joined].sort(([one], [other]) => (one < other ? -1 : 1));
  return names.flatMap(([name, values]): Entry[] =>
    name === "set-cookie" ? values.map((value) => [name, value]) : [[name, values.join(", ")]],
  );
}

function toName(name: unknown): string {
  const text = String(name);
  if (!TOKEN.test(text)) throw new TypeError(`Cannot use header name "${text}": it is not a token`);
  return text.toLowerCase();
}

function toValue(value: unknown): string {
  const text = String(value).replace(/^[\t\n\r ]+|[\t\n\r ]+$/g, "");
  if (NOT_A_VALUE.test(text)) {
    throw new TypeError("Cannot use header value: it has a line break or is outside Latin-1");
  }
  return text;
}

function pairsOf(init: object): Iterable<readonly [unknown, unknown]> {
  const iterate = (init as { [Symbol.iterator]?: unknown })[Symbol.iterator];
  if (iterate === undefined || iterate === null) return Object.entries(init);
  return Array.from(init as Iterable<Iterable<unknown>>, (pair) => {
    const parts = [...pair];
    if (parts.length !== 2) {
      throw new TypeError("Cannot make Headers: each pair must have a name and a value");
    }
    return [parts[0], parts[1]] as const;
  });
}

/** The fields as they were given, in order, not joined. */
export const headerEntries = (headers: Headers): readonly Entry[] => access.entries(headers);

/** Makes `headers` refuse every change from now on. */
export const freezeHeaders = (headers: Headers): void => access.freeze(headers);

showAs(Headers, "Headers", (headers) => Object.fromEntries(headers));
