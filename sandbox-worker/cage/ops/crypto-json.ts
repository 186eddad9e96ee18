import { webcrypto } from "node:crypto";

import type { CryptoJson, GuestKey } from "../../guest/host-ops.ts";

/** Nesting that arguments of WebCrypto may have; none needs more than a few. */
const DEPTH_MAX = 8;

type Plain =
  | null
  | boolean
  | number
  | string
  | Uint8Array<ArrayBuffer>
  | webcrypto.CryptoKey
  | PlainList
  | PlainObject;
type PlainList = readonly Plain[];
interface PlainObject {
  readonly [name: string]: Plain;
}
/** An argument as `SubtleCrypto` takes it. */
export type CryptoArgument = Plain;

const RAW_FORMATS = { secret: "raw", private: "pkcs8", public: "spki" } as const;

/** Turns JSON of the guest's into arguments for WebCrypto; keys are imported anew. */
export async function decodeArgument(json: CryptoJson, depth = 0): Promise<Plain> {
  if (depth > DEPTH_MAX) throw new TypeError("Cannot read the argument: it is nested too deep");
  if (json === null || typeof json !== "object") return json;
  if (isList(json)) return Promise.all(json.map((item) => decodeArgument(item, depth + 1)));
  if (isBytes(json)) return bytesOf(json.$bytes);
  if (isKey(json)) return importKey(json.$key);
  const fields: Record<string, Plain> = {};
  for (const [name, value] of Object.entries(json)) {
    fields[name] = await decodeArgument(value, depth + 1);
  }
  return fields;
}

/** Turns what WebCrypto gave into JSON for the guest. */
export async function encodeAnswer(value: unknown): Promise<CryptoJson> {
  if (value === null || typeof value === "boolean" || typeof value === "number") return value;
  if (typeof value === "string") return value;
  if (value instanceof ArrayBuffer) return { $bytes: Buffer.from(value).toString("base64") };
  if (ArrayBuffer.isView(value)) {
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    return { $bytes: bytes.toString("base64") };
  }
  if (value instanceof CryptoKey) return { $key: await exportKey(value) };
  if (Array.isArray(value)) return Promise.all(value.map(encodeAnswer));
  if (typeof value !== "object") return null;
  const fields: Record<string, CryptoJson> = {};
  for (const [name, item] of Object.entries(value)) fields[name] = await encodeAnswer(item);
  return fields;
}

/** A key's lasting form. The guest runtime asks for extractable keys alone, and keeps the program's wish itself. */
async function exportKey(key: webcrypto.CryptoKey): Promise<GuestKey> {
  const material = await webcrypto.subtle.exportKey(RAW_FORMATS[key.type], key);
  return {
    type: key.type,
    extractable: key.extractable,
    algorithm: (await encodeAnswer(key.algorithm)) as GuestKey["algorithm"],
    usages: [...key.usages],
    material: Buffer.from(material as ArrayBuffer).toString("base64"),
  };
}

async function importKey(key: GuestKey): Promise<webcrypto.CryptoKey> {
  const algorithm = (await decodeArgument(key.algorithm)) as unknown as webcrypto.Algorithm;
  return webcrypto.subtle.importKey(
    RAW_FORMATS[key.type],
    bytesOf(key.material),
    algorithm,
    key.extractable,
    key.usages as webcrypto.KeyUsage[],
  );
}

function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  const bytes = Buffer.from(base64, "base64");
  // Its own memory, not a slice of Node's pool.
  return new Uint8Array(bytes);
}

const isList = (json: CryptoJson): json is readonly CryptoJson[] => Array.isArray(json);
const isBytes = (json: object): json is { readonly $bytes: string } =>
  "$bytes" in json && typeof json.$bytes === "string";
const isKey = (json: object): json is { readonly $key: GuestKey } => "$key" in json;
