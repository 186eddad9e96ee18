import { callCrypto } from "./crypto-call.ts";
import { CryptoKey } from "./crypto-key.ts";
import { DOMException } from "./dom-exception.ts";
import { viewBytes } from "./idl.ts";

type Algorithm = string | Readonly<Record<string, unknown>>;

let isMaking = false;

/** WebCrypto: the host computes, keys stay here. What is not extractable never leaves. */
export class SubtleCrypto {
  constructor() {
    if (!isMaking) throw new TypeError("Illegal constructor");
  }

  async digest(algorithm: Algorithm, data: unknown): Promise<unknown> {
    return await callCrypto("digest", [algorithm, bytes(data)]);
  }
  async encrypt(algorithm: Algorithm, key: CryptoKey, data: unknown): Promise<unknown> {
    return await callCrypto("encrypt", [algorithm, cryptoKey(key), bytes(data)]);
  }
  async decrypt(algorithm: Algorithm, key: CryptoKey, data: unknown): Promise<unknown> {
    return await callCrypto("decrypt", [algorithm, cryptoKey(key), bytes(data)]);
  }
  async sign(algorithm: Algorithm, key: CryptoKey, data: unknown): Promise<unknown> {
    return await callCrypto("sign", [algorithm, cryptoKey(key), bytes(data)]);
  }
  async verify(
    algorithm: Algorithm,
    key: CryptoKey,
    signature: unknown,
    data: unknown,
  ): Promise<unknown> {
    return await callCrypto("verify", [algorithm, cryptoKey(key), bytes(signature), bytes(data)]);
  }
  async generateKey(
    algorithm: Algorithm,
    extractable: unknown,
    usages: Iterable<string>,
  ): Promise<unknown> {
    return await callCrypto("generateKey", [algorithm, Boolean(extractable), [...usages]]);
  }
  async importKey(
    format: string,
    data: unknown,
    algorithm: Algorithm,
    extractable: unknown,
    usages: Iterable<string>,
  ): Promise<unknown> {
    const material = format === "jwk" ? data : bytes(data);
    const args = [format, material, algorithm, Boolean(extractable), [...usages]];
    return await callCrypto("importKey", args);
  }
  async exportKey(format: string, key: CryptoKey): Promise<unknown> {
    return await callCrypto("exportKey", [format, extractableKey(key)]);
  }
  async deriveBits(algorithm: Algorithm, key: CryptoKey, length?: unknown): Promise<unknown> {
    const bits = length === undefined || length === null ? null : Number(length);
    return await callCrypto("deriveBits", [algorithm, cryptoKey(key), bits]);
  }
  async deriveKey(
    algorithm: Algorithm,
    key: CryptoKey,
    derived: Algorithm,
    extractable: unknown,
    usages: Iterable<string>,
  ): Promise<unknown> {
    const args = [algorithm, cryptoKey(key), derived, Boolean(extractable), [...usages]];
    return await callCrypto("deriveKey", args);
  }
  async wrapKey(
    format: string,
    key: CryptoKey,
    wrappingKey: CryptoKey,
    algorithm: Algorithm,
  ): Promise<unknown> {
    const args = [format, extractableKey(key), cryptoKey(wrappingKey), algorithm];
    return await callCrypto("wrapKey", args);
  }
  async unwrapKey(
    format: string,
    wrapped: unknown,
    unwrappingKey: CryptoKey,
    unwrapAlgorithm: Algorithm,
    algorithm: Algorithm,
    extractable: unknown,
    usages: Iterable<string>,
  ): Promise<unknown> {
    return await callCrypto("unwrapKey", [
      format,
      bytes(wrapped),
      cryptoKey(unwrappingKey),
      unwrapAlgorithm,
      algorithm,
      Boolean(extractable),
      [...usages],
    ]);
  }
  get [Symbol.toStringTag](): string {
    return "SubtleCrypto";
  }
}

/** The one `SubtleCrypto` there is. */
export function makeSubtle(): SubtleCrypto {
  isMaking = true;
  try {
    return new SubtleCrypto();
  } finally {
    isMaking = false;
  }
}

function bytes(data: unknown): Uint8Array {
  const view = viewBytes(data);
  if (view === null)
    throw new TypeError("Cannot use data that is neither a buffer nor a view of one");
  return view;
}

function cryptoKey(key: unknown): CryptoKey {
  if (key instanceof CryptoKey) return key;
  throw new TypeError("Cannot use a key that is no CryptoKey");
}

function extractableKey(key: unknown): CryptoKey {
  const checked = cryptoKey(key);
  if (checked.extractable) return checked;
  throw new DOMException("Cannot export the key: it is not extractable", "InvalidAccessError");
}
