import { decodeBase64, encodeBase64 } from "../base64.ts";
import { onDelivery } from "../deliveries.ts";
import type { CRYPTO_OPERATIONS, CryptoJson, GuestKey } from "../host-ops.ts";
import { ops } from "../ops.ts";
import { beginPending, endPending } from "../pending.ts";
import { onBoot } from "../run-state.ts";
import { CryptoKey, guestKey, makeKey } from "./crypto-key.ts";
import { DOMException } from "./dom-exception.ts";
import { viewBytes } from "./idl.ts";

interface Call {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

let calls = new Map<number, Call>();
let lastId = 0;

onBoot(() => {
  calls = new Map();
});

/** Has the host do one operation of WebCrypto; buffers and keys among the arguments go along. */
export function callCrypto(
  operation: (typeof CRYPTO_OPERATIONS)[number],
  args: readonly unknown[],
): Promise<unknown> {
  const json = JSON.stringify(args.map(toJson));
  return new Promise((resolve, reject) => {
    const id = ++lastId;
    if (!ops.cryptoStart(id, operation, json)) {
      throw new DOMException("Cannot start: too much is pending in this run", "OperationError");
    }
    calls.set(id, { resolve, reject });
    beginPending();
  });
}

/** Members that are undefined are left out, inherited ones are taken along, as dictionaries are read. */
function toJson(value: unknown): CryptoJson {
  if (typeof value !== "object" || value === null) {
    return typeof value === "string" || typeof value === "number" || typeof value === "boolean"
      ? value
      : null;
  }
  if (value instanceof CryptoKey) return { $key: guestKey(value) };
  const bytes = viewBytes(value);
  if (bytes !== null) return { $bytes: encodeBase64(bytes, bytes.length) };
  if (Array.isArray(value)) return value.map(toJson);
  const members: Record<string, CryptoJson> = {};
  for (const name in value) {
    const member = (value as Record<string, unknown>)[name];
    if (member !== undefined && typeof member !== "function") members[name] = toJson(member);
  }
  return members;
}

function fromJson(json: CryptoJson): unknown {
  if (typeof json !== "object" || json === null) return json;
  if (Array.isArray(json)) return json.map(fromJson);
  if ("$bytes" in json) return decodeBase64(json["$bytes"] as string).buffer;
  if ("$key" in json) return makeKey(json["$key"] as GuestKey);
  return Object.fromEntries(Object.entries(json).map(([name, member]) => [name, fromJson(member)]));
}

onDelivery(["crypto"], (_kind, id, ok, json) => {
  const call = calls.get(id);
  if (call === undefined) return;
  calls.delete(id);
  endPending();
  const answer = JSON.parse(json as string) as CryptoJson;
  if (ok === true) {
    call.resolve(fromJson(answer));
    return;
  }
  const { name, message } = answer as { readonly name: string; readonly message: string };
  call.reject(name === "TypeError" ? new TypeError(message) : new DOMException(message, name));
});
