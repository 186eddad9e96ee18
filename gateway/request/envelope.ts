import type { Issue } from "../../protocol/failure.ts";
import { fail, ok, type Result } from "../../protocol/result.ts";
import { JsonCursor } from "./json-text.ts";

/** A request's body: everything but the input as a value, the input as the text it was sent as. */
export interface Envelope {
  /** As `JSON.parse` gives it, `input` left out. */
  readonly fields: unknown;
  /** Exact source text of the top level's `input`; null where there was none. */
  readonly inputJson: string | null;
}

/** How deep a body may nest, its input included. Deeper is for stack overflows. */
export const JSON_DEPTH_MAX = 64;

/**
 * Splits a request's JSON text into its envelope and its input.
 *
 * Outside the input a key may occur once in its object, so that no two readers of a body can
 * disagree on what was asked. The input is checked to be JSON and is otherwise left as it is.
 */
export function readEnvelope(text: string): Result<Envelope> {
  const reader = new EnvelopeReader(text);
  const issue = reader.read();
  if (issue !== undefined) return fail({ code: "malformed_request", issues: [issue] });
  const { input } = reader;
  if (input === undefined) return ok({ fields: JSON.parse(text), inputJson: null });
  // A null in its place keeps the commas right; the key goes with it.
  const rest = `${text.slice(0, input.start)}null${text.slice(input.end)}`;
  const { input: _, ...fields } = JSON.parse(rest) as { readonly input: null };
  return ok({ fields, inputJson: text.slice(input.start, input.end) });
}

class EnvelopeReader {
  readonly #cursor: JsonCursor;
  input: { readonly start: number; readonly end: number } | undefined;

  constructor(text: string) {
    this.#cursor = new JsonCursor(text);
  }

  read(): Issue | undefined {
    const cursor = this.#cursor;
    cursor.space();
    const issue = this.#value("", 0);
    if (issue !== undefined) return issue;
    cursor.space();
    return cursor.at === cursor.text.length ? undefined : this.#fault("");
  }

  /** Recursion is bounded by `JSON_DEPTH_MAX`. */
  #value(path: string, depth: number): Issue | undefined {
    const cursor = this.#cursor;
    const code = cursor.peek();
    if (code !== OPEN_OBJECT && code !== OPEN_LIST) {
      return cursor.scalar() ? undefined : this.#fault(path);
    }
    if (depth === JSON_DEPTH_MAX) {
      cursor.fault = "depth";
      return this.#fault(path);
    }
    cursor.at++;
    return code === OPEN_OBJECT ? this.#object(path, depth + 1) : this.#list(path, depth + 1);
  }

  #object(path: string, depth: number): Issue | undefined {
    const cursor = this.#cursor;
    const seen = new Set<string>();
    cursor.space();
    if (cursor.take(CLOSE_OBJECT)) return undefined;
    for (;;) {
      cursor.space();
      const key = this.#key();
      if (key === undefined) return this.#fault(path);
      const where = path === "" ? shown(key) : `${path}.${shown(key)}`;
      if (seen.has(key)) return { path: where, message: "must occur once" };
      // An object made of this key would not be the object that was written.
      if (key === "__proto__") return { path: where, message: "is not a name that may be used" };
      seen.add(key);
      cursor.space();
      const issue = depth === 1 && key === "input" ? this.#input() : this.#value(where, depth);
      if (issue !== undefined) return issue;
      cursor.space();
      if (cursor.take(CLOSE_OBJECT)) return undefined;
      if (!cursor.take(COMMA)) return this.#fault(path);
    }
  }

  #list(path: string, depth: number): Issue | undefined {
    const cursor = this.#cursor;
    cursor.space();
    if (cursor.take(CLOSE_LIST)) return undefined;
    for (let index = 0; ; index++) {
      cursor.space();
      const issue = this.#value(`${path}.${index}`, depth);
      if (issue !== undefined) return issue;
      cursor.space();
      if (cursor.take(CLOSE_LIST)) return undefined;
      if (!cursor.take(COMMA)) return this.#fault(path);
    }
  }

  #input(): Issue | undefined {
    const cursor = this.#cursor;
    const start = cursor.at;
    if (!cursor.value(JSON_DEPTH_MAX - 1)) return this.#fault("input");
    this.input = { start, end: cursor.at };
    return undefined;
  }

  /** A key as it reads, its escapes resolved; the cursor then stands after the colon. */
  #key(): string | undefined {
    const cursor = this.#cursor;
    const start = cursor.at;
    if (!cursor.string()) return undefined;
    const raw = cursor.text.slice(start, cursor.at);
    cursor.space();
    if (!cursor.take(COLON)) return undefined;
    return raw.includes("\\") ? (JSON.parse(raw) as string) : raw.slice(1, -1);
  }

  #fault(path: string): Issue {
    const { at, text, fault } = this.#cursor;
    if (fault === "depth") {
      return { path, message: `must not nest deeper than ${JSON_DEPTH_MAX} levels` };
    }
    return at >= text.length
      ? { path: "", message: "is not JSON: it ends too early" }
      : { path: "", message: `is not JSON at character ${at}` };
  }
}

/** A key chosen by a tenant, cut to a length that an answer may carry. */
const shown = (key: string): string => (key.length <= 64 ? key : `${key.slice(0, 63)}…`);

const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
