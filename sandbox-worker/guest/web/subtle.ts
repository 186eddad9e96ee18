import { encodeBase64 } from "../base64.ts";
import { callCrypto } from "./crypto-call.ts";
import { CryptoKey, guestKey, makeKey } from "./crypto-key.ts";
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
    const made = await callCrypto("generateKey", [algorithm, true, [...usages]]);
    if (made instanceof CryptoKey) return withExtractable(made, extractable);
    const { publicKey, privateKey } = made as { publicKey: CryptoKey; privateKey: CryptoKey };
    return { publicKey, privateKey: withExtractable(privateKey, extractable) };
  }
  async importKey(
    format: string,
    data: unknown,
    algorithm: Algorithm,
    extractable: unknown,
    usages: Iterable<string>,
  ): Promise<unknown> {
    const material = format === "jwk" ? withoutExt(data, extractable) : bytes(data);
    const name = derivationName(algorithm);
    if (name !== null) return derivationKey(format, material, name, extractable, [...usages]);
    const args = [format, material, algorithm, true, [...usages]];
    return withExtractable(await callCrypto("importKey", args), extractable);
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
    const name = derivationName(derived);
    if (name !== null) {
      const bits = await callCrypto("deriveBits", [algorithm, cryptoKey(key), null]);
      return derivationKey("raw", bits, name, extractable, [...usages]);
    }
    const args = [algorithm, cryptoKey(key), derived, true, [...usages]];
    return withExtractable(await callCrypto("deriveKey", args), extractable);
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
    const args = [format, bytes(wrapped), cryptoKey(unwrappingKey), unwrapAlgorithm, algorithm];
    const key = await callCrypto("unwrapKey", [...args, true, [...usages]]);
    return withExtractable(key, extractable);
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

/** A key that came from the host, as extractable as the program wants it. Public keys always are. */
function withExtractable(key: unknown, extractable: unknown): CryptoKey {
  const inner = guestKey(cryptoKey(key));
  return inner.type === "public" || extractable
    ? makeKey(inner)
    : makeKey({ ...inner, extractable: false });
}

/** A JSON key may say that it must not be extractable; the host is asked for one that is. */
function withoutExt(data: unknown, extractable: unknown): object {
  const { ext, ...rest } = data as { readonly ext?: unknown };
  if (ext !== false || !extractable) return rest;
  throw new DOMException(
    "Cannot import the key: its ext says that it is not extractable",
    "DataError",
  );
}

const DERIVATION_NAMES = ["PBKDF2", "HKDF"];

function derivationName(algorithm: Algorithm): string | null {
  const name = String(
    typeof algorithm === "string" ? algorithm : algorithm?.["name"],
  ).toUpperCase();
  return DERIVATION_NAMES.find((known) => known === name) ?? null;
}

/** A key to derive others from. Such a key is never extractable, so the host could not answer it. */
function derivationKey(
  format: string,
  material: unknown,
  name: string,
  extractable: unknown,
  usages: readonly string[],
): CryptoKey {
  if (format !== "raw") {
    throw new DOMException(`Cannot import a ${name} key from "${format}"`, "NotSupportedError");
  }
  const isUsable = usages.length > 0 && usages.every((usage) => DERIVATIONS.has(usage));
  if (extractable || !isUsable) {
    throw new DOMException(
      `Cannot import a ${name} key: it derives keys or bits only, and is never extractable`,
      "SyntaxError",
    );
  }
  const raw = bytes(material);
  return makeKey({
    type: "secret",
    extractable: false,
    algorithm: { name },
    usages: [...usages],
    material: encodeBase64(raw, raw.length),
  });
}

const DERIVATIONS = new Set(["deriveKey", "deriveBits"]);

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
