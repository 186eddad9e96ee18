import { encodeBase64 } from "../base64.ts";
import {
  apply,
  bigIntToString,
  dateGetTime,
  dateToIso,
  isArray,
  isSame,
  jsonStringify,
  mapForEach,
  mapGet,
  mapSet,
  NativeError,
  NativeMap,
  objectKeys,
  regExpToString,
  setForEach,
  stringCharCodeAt,
  stringSlice,
} from "../primordials.ts";
import { resultFormOf } from "./forms.ts";
import { isTypeKey, pointerStep } from "./keys.ts";
import { kindOf, unbox } from "./kinds.ts";
import { plainJson } from "./plain-json.ts";
import { rawBytesOf } from "./raw-bytes.ts";
import { reduceError } from "./reduce-error.ts";
import { ownToJson } from "./to-json.ts";

/** Levels of a result. Above, common JSON readers give up; a cycle costs no level, it is a `ref`. */
const RESULT_DEPTH_MAX = 500;

export type EncodedResult =
  | { readonly kind: "encoded"; readonly encoding: "json" | "tagged"; readonly json: string }
  | { readonly kind: "overflow" };

/**
 * Turns a run's result into JSON text, plain where that carries the value, else with the tags that
 * `protocol/tagged-value.ts` reads. Runs getters, Proxy traps and `toJSON` methods, up to twice,
 * and throws what they throw, or a TypeError naming the place of what no encoding carries: a
 * symbol, a promise, an iterator, a weak reference, a stream.
 *
 * - `toJSON` is honoured where the object or its class defines it, not where a built-in prototype
 *   was given one; dates are tagged.
 * - An object of a class is its own enumerable properties; a RegExp its text; the runtime's own
 *   classes are what their module registers (`forms.ts`).
 * - An object met twice is written twice in plain JSON, and is a `ref` where there are tags.
 *
 * Every piece of the text is a literal here, a number, or a quoted string: whatever a tenant did
 * to its realm, the text is one JSON value.
 */
export function encodeResult(value: unknown, maxBytes: number): EncodedResult {
  const quick = plainJson(value, maxBytes);
  if (quick !== null) return finish("json", quick, maxBytes);
  const plain = write(value, false, maxBytes);
  if (plain === NOT_PLAIN) return finish("tagged", write(value, true, maxBytes), maxBytes);
  return finish("json", plain, maxBytes);
}

/** Thrown to leave a value half written; neither ever leaves this file. */
const NOT_PLAIN = new NativeError("Cannot write the value as plain JSON");
const TOO_LONG = new NativeError("Cannot write the value: it is too long");

function write(value: unknown, tagged: boolean, maxBytes: number): string | Error {
  const writer = new Writer(tagged, maxBytes);
  try {
    writer.value(value, "", "", null);
    return writer.text;
  } catch (thrown) {
    if (thrown === NOT_PLAIN || thrown === TOO_LONG) return thrown as Error;
    throw thrown;
  }
}

function finish(
  encoding: "json" | "tagged",
  written: string | Error,
  maxBytes: number,
): EncodedResult {
  if (typeof written !== "string" || isLonger(written, maxBytes)) return { kind: "overflow" };
  return { kind: "encoded", encoding, json: written };
}

/** Whether `text` has more than `maxBytes` in UTF-8. It has no lone surrogates: JSON escapes them. */
function isLonger(text: string, maxBytes: number): boolean {
  if (text.length * 3 <= maxBytes) return false;
  let bytes = text.length;
  for (let i = 0; i < text.length && bytes <= maxBytes; i++) {
    const unit = stringCharCodeAt(text, i);
    if (unit >= 0x80) bytes += unit < 0x800 || (unit >= 0xd800 && unit < 0xe000) ? 1 : 2;
  }
  return bytes > maxBytes;
}

/** The objects that a value is inside of, nearest first. */
interface Inside {
  readonly object: object;
  readonly depth: number;
  readonly outer: Inside | null;
}

class Writer {
  text = "";
  readonly #tagged: boolean;
  readonly #maxLength: number;
  readonly #pointers = new NativeMap<object, string>();

  constructor(tagged: boolean, maxLength: number) {
    this.#tagged = tagged;
    this.#maxLength = maxLength;
  }

  value(value: unknown, key: string, pointer: string, inside: Inside | null): void {
    switch (typeof value) {
      case "string":
        return this.#quoted(value);
      case "boolean":
        return this.#add(value ? "true" : "false");
      case "number":
        return this.#number(value);
      case "undefined":
        return this.#tag("undefined");
      case "bigint":
        return this.#tag("bigint", bigIntToString(value));
      case "function":
        return this.#tag("function", functionName(value));
      case "symbol":
        return this.#refuse("a symbol", "no encoding carries it", pointer);
      case "object":
        return value === null
          ? this.#add("null")
          : this.#object(value as object, key, pointer, inside);
    }
  }

  #object(value: object, key: string, pointer: string, inside: Inside | null): void {
    const toJson = ownToJson(value);
    if (toJson === null) return this.#bare(value, pointer, inside);
    const stand = apply(toJson, value, [key]) as unknown;
    if (stand === value) return this.#bare(value, pointer, inside);
    // A method that answers with ever new objects ends at the depth limit.
    const within = this.#enter(value, inside, pointer);
    if (typeof stand === "object" && stand !== null) return this.#bare(stand, pointer, within);
    return this.value(stand, key, pointer, within);
  }

  #bare(value: object, pointer: string, inside: Inside | null): void {
    if (this.#tagged) {
      const met = mapGet(this.#pointers, value);
      if (met !== undefined) return this.#tag("ref", met);
    } else {
      for (let outer = inside; outer !== null; outer = outer.outer) {
        if (outer.object === value) throw NOT_PLAIN;
      }
    }
    const within = this.#enter(value, inside, pointer);
    if (isArray(value)) return this.#list(value, pointer, within);
    const kind = kindOf(value);
    switch (kind) {
      case "object": {
        const form = resultFormOf(value);
        if (form !== null) return this.value(form.value, "", pointer, within);
        return this.#fields(value, pointer, within);
      }
      case "date":
        return this.#date(value as Date, pointer);
      case "map":
        return this.#map(value as Map<unknown, unknown>, pointer, within);
      case "set":
        return this.#set(value as Set<unknown>, pointer, within);
      case "error":
        return this.#error(value, pointer);
      case "typed array":
      case "array buffer":
      case "data view":
        return this.#bytes(value, kind, pointer);
      case "boxed":
        return this.value(unbox(value), "", pointer, within);
      case "regexp":
        return this.#quoted(regExpToString(value as RegExp));
      case "promise":
        return this.#refuse("a promise", "await it first", pointer);
      case "iterator":
        return this.#refuse("an iterator", "put what it gives into a list first", pointer);
      case "weak":
        return this.#refuse("a weak reference", "no encoding carries it", pointer);
    }
  }

  #enter(value: object, inside: Inside | null, pointer: string): Inside {
    const depth = inside === null ? 1 : inside.depth + 1;
    if (depth > RESULT_DEPTH_MAX) {
      if (!this.#tagged) throw NOT_PLAIN;
      throw new RangeError(
        `Cannot return a value of more than ${RESULT_DEPTH_MAX} levels: it is deeper at "${stringSlice(pointer, 0, 100)}"`,
      );
    }
    return { object: value, depth, outer: inside };
  }

  #list(list: readonly unknown[], pointer: string, within: Inside): void {
    this.#remember(list, pointer);
    this.#add("[");
    const length = list.length;
    for (let i = 0; i < length; i++) {
      if (i > 0) this.#add(",");
      const item = list[i];
      this.value(item, `${i}`, this.#tagged ? `${pointer}/${i}` : "", within);
    }
    this.#add("]");
  }

  #fields(value: object, pointer: string, within: Inside): void {
    this.#remember(value, pointer);
    const keys = objectKeys(value);
    let text = "{";
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i] as string;
      const name = this.#tagged && isTypeKey(key) ? `$${key}` : key;
      this.#add(`${text}${jsonStringify(name)}:`);
      text = ",";
      const item = (value as Record<string, unknown>)[key];
      this.value(item, key, this.#tagged ? `${pointer}/${pointerStep(key)}` : "", within);
    }
    this.#add(keys.length === 0 ? "{}" : "}");
  }

  #map(map: Map<unknown, unknown>, pointer: string, within: Inside): void {
    this.#open("map", map, pointer);
    let at = 0;
    mapForEach(map, (item, key) => {
      this.#add(at === 0 ? "[[" : ",[");
      this.value(key, "", `${pointer}/value/${at}/0`, within);
      this.#add(",");
      this.value(item, "", `${pointer}/value/${at}/1`, within);
      this.#add("]");
      at++;
    });
    this.#add(at === 0 ? "[]}" : "]}");
  }

  #set(set: Set<unknown>, pointer: string, within: Inside): void {
    this.#open("set", set, pointer);
    let at = 0;
    setForEach(set, (item) => {
      this.#add(at === 0 ? "[" : ",");
      this.value(item, "", `${pointer}/value/${at}`, within);
      at++;
    });
    this.#add(at === 0 ? "[]}" : "]}");
  }

  #date(date: Date, pointer: string): void {
    this.#open("date", date, pointer);
    const isValid = isSame(dateGetTime(date), Number.NaN) === false;
    this.#add(isValid ? `${jsonStringify(dateToIso(date))}}` : "null}");
  }

  #error(error: object, pointer: string): void {
    this.#open("error", error, pointer);
    const { name, message, stack } = reduceError(error);
    this.#add(
      `{"name":${jsonStringify(name)},"message":${jsonStringify(message)},"stack":${jsonStringify(stack)}}}`,
    );
  }

  #bytes(value: object, kind: "typed array" | "array buffer" | "data view", pointer: string): void {
    this.#open("bytes", value, pointer);
    const { name, bytes, length } = rawBytesOf(value, kind);
    this.#add(`{"kind":${jsonStringify(name)},"base64":`);
    if (this.text.length + (length / 3) * 4 > this.#maxLength) throw TOO_LONG;
    this.#add(`${jsonStringify(encodeBase64(bytes, length))}}}`);
  }

  #number(value: number): void {
    const isPlain = value - value === 0 && !isSame(value, -0);
    if (isPlain) return this.#add(`${value}`);
    this.#tag("number", value === 0 ? "-0" : `${value}`);
  }

  #quoted(text: string): void {
    if (this.text.length + text.length > this.#maxLength) throw TOO_LONG;
    this.#add(jsonStringify(text));
  }

  #tag(type: string, value?: string): void {
    if (!this.#tagged) throw NOT_PLAIN;
    this.#add(
      value === undefined
        ? `{"$type":"${type}"}`
        : `{"$type":"${type}","value":${jsonStringify(value)}}`,
    );
  }

  /** Begins a tag whose value the decoder can be sent back to. */
  #open(type: string, value: object, pointer: string): void {
    if (!this.#tagged) throw NOT_PLAIN;
    this.#remember(value, pointer);
    this.#add(`{"$type":"${type}","value":`);
  }

  #remember(value: object, pointer: string): void {
    if (this.#tagged) mapSet(this.#pointers, value, pointer);
  }

  /** Only the tagged writer knows where it is, so the plain one leaves refusing to it. */
  #refuse(what: string, why: string, pointer: string): void {
    if (!this.#tagged) throw NOT_PLAIN;
    const place = pointer === "" ? "" : ` at "${stringSlice(pointer, 0, 200)}"`;
    throw new TypeError(`Cannot return ${what}${place}: ${why}`);
  }

  #add(piece: string): void {
    this.text += piece;
    if (this.text.length > this.#maxLength) throw TOO_LONG;
  }
}

function functionName(value: object): string {
  const name = (value as { name?: unknown }).name;
  return typeof name === "string" ? stringSlice(name, 0, 200) : "";
}
