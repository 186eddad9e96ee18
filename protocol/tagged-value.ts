/**
 * Decodes what a run gave where JSON alone cannot carry it (`encoding: "tagged"`).
 *
 * Tags are `{"$type": name, "value": …}`: `undefined`, `bigint` (decimal text), `number` (`NaN`,
 * `Infinity`, `-Infinity`, `-0`), `date` (ISO text, or null for an invalid one), `map` (list of
 * pairs), `set` (list), `bytes` (`{"kind": "Uint8Array", "base64": …}`), `error`
 * (`{"name", "message", "stack"}`), `ref` (RFC 6901 pointer from the root to a value met before; its
 * steps are decoded keys and list indices, inside a map or set `value/<index>` and, for a map, 0 or 1),
 * `function` (its name). A guest's own `$type` key is written `$$type` (and `$$type` as `$$$type`).
 */
type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Stands for a function, which has no value outside its isolate. */
export class DecodedFunction {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

const ESCAPED_TYPE_KEY = /^\$+\$type$/;

/**
 * Turns parsed tagged JSON into the value it stands for; cycles and shared parts come back as such.
 *
 * @throws {SyntaxError} Where a tag is unknown or its value has another shape than the tag's.
 */
export function decodeTagged(json: unknown): unknown {
  const byPointer = new Map<string, unknown>();
  const root = decode(json as Json, "", byPointer);
  return root;
}

function decode(json: Json, pointer: string, byPointer: Map<string, unknown>): unknown {
  if (json === null || typeof json !== "object") return json;
  if (isList(json)) {
    const list: unknown[] = [];
    byPointer.set(pointer, list);
    json.forEach((item, index) => list.push(decode(item, `${pointer}/${index}`, byPointer)));
    return list;
  }
  const type = json["$type"];
  if (typeof type === "string") return decodeTag(type, json["value"] ?? null, pointer, byPointer);
  const object: Record<string, unknown> = {};
  byPointer.set(pointer, object);
  for (const [key, value] of Object.entries(json)) {
    const name = ESCAPED_TYPE_KEY.test(key) ? key.slice(1) : key;
    const step = name.replaceAll("~", "~0").replaceAll("/", "~1");
    Object.defineProperty(object, name, {
      value: decode(value, `${pointer}/${step}`, byPointer),
      enumerable: true,
      writable: true,
      configurable: true,
    });
  }
  return object;
}

function decodeTag(
  type: string,
  value: Json,
  pointer: string,
  byPointer: Map<string, unknown>,
): unknown {
  const remember = <T>(decoded: T): T => {
    byPointer.set(pointer, decoded);
    return decoded;
  };
  switch (type) {
    case "undefined":
      return undefined;
    case "bigint":
      return BigInt(asText(type, value));
    case "number":
      return Number(asText(type, value));
    case "date":
      return remember(new Date(value === null ? Number.NaN : asText(type, value)));
    case "map": {
      const map = remember(new Map<unknown, unknown>());
      asList(type, value).forEach((pair, index) => {
        const [key = null, item = null] = asList(type, pair);
        map.set(
          decode(key, `${pointer}/value/${index}/0`, byPointer),
          decode(item, `${pointer}/value/${index}/1`, byPointer),
        );
      });
      return map;
    }
    case "set": {
      const set = remember(new Set<unknown>());
      asList(type, value).forEach((item, index) =>
        set.add(decode(item, `${pointer}/value/${index}`, byPointer)),
      );
      return set;
    }
    case "bytes":
      return remember(decodeBytes(value));
    case "error": {
      const fields = asFields(type, value);
      const error = new Error(asText(type, fields["message"] ?? ""));
      error.name = asText(type, fields["name"] ?? "Error");
      if (typeof fields["stack"] === "string") error.stack = fields["stack"];
      return remember(error);
    }
    case "function":
      return remember(new DecodedFunction(asText(type, value)));
    case "ref": {
      const target = asText(type, value);
      if (!byPointer.has(target))
        throw new SyntaxError(`Cannot decode ref "${target}": no such value`);
      return byPointer.get(target);
    }
    default:
      throw new SyntaxError(`Cannot decode tag "${type}": it is not known`);
  }
}

const VIEWS = {
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
} as const;

function decodeBytes(value: Json): ArrayBuffer | ArrayBufferView {
  const fields = asFields("bytes", value);
  const binary = atob(asText("bytes", fields["base64"] ?? ""));
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  const kind = asText("bytes", fields["kind"] ?? "Uint8Array");
  if (kind === "ArrayBuffer") return bytes.buffer;
  if (kind === "DataView") return new DataView(bytes.buffer);
  const View = Object.entries(VIEWS).find(([name]) => name === kind)?.[1];
  if (View === undefined) throw new SyntaxError(`Cannot decode bytes of kind "${kind}"`);
  return new View(bytes.buffer);
}

const isList = (json: Json): json is readonly Json[] => Array.isArray(json);

function asText(type: string, value: Json): string {
  if (typeof value !== "string")
    throw new SyntaxError(`Cannot decode tag "${type}": value must be text`);
  return value;
}

function asList(type: string, value: Json): readonly Json[] {
  if (!isList(value)) throw new SyntaxError(`Cannot decode tag "${type}": value must be a list`);
  return value;
}

function asFields(type: string, value: Json): { readonly [key: string]: Json } {
  if (value === null || typeof value !== "object" || isList(value)) {
    throw new SyntaxError(`Cannot decode tag "${type}": value must be an object`);
  }
  return value;
}
