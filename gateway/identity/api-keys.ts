import { base32, type NamedSecret, parseApiKey, signedPart } from "../../protocol/api-key.ts";

/** A key whose mac was right. Whether it may still be used is its tenant's to say. */
export interface VerifiedKey {
  readonly tenant: string;
  readonly keyId: string;
}

const MAC_BYTES = 16;
const encoder = new TextEncoder();

/** Makes and checks API keys with the signing secrets, each imported once. */
export class KeyRing {
  readonly #secrets: readonly NamedSecret[];
  readonly #imported = new Map<string, CryptoKey>();

  /** The first of `secrets` signs, all verify. */
  constructor(secrets: readonly NamedSecret[]) {
    this.#secrets = secrets;
  }

  /** A key that was never made before, for `tenant`. */
  async mint(tenant: string): Promise<{ readonly keyId: string; readonly key: string }> {
    const [first] = this.#secrets;
    if (first === undefined) throw new RangeError("Cannot sign a key: there is no secret");
    const random = base32(crypto.getRandomValues(new Uint8Array(10)));
    const keyId = `${first.id}${random}`;
    const mac = await this.#mac(first, tenant, keyId);
    return { keyId, key: `${signedPart(tenant, keyId)}_${mac}` };
  }

  /** Whose key `text` is, or undefined where it is no key or its mac is not ours. */
  async verify(text: string): Promise<VerifiedKey | undefined> {
    const parsed = parseApiKey(text);
    if (parsed === undefined) return undefined;
    const { tenant, keyId, mac } = parsed;
    const secret = this.#secrets.find(({ id }) => keyId.startsWith(id));
    if (secret === undefined) return undefined;
    const expected = encoder.encode(await this.#mac(secret, tenant, keyId));
    const given = encoder.encode(mac);
    return crypto.subtle.timingSafeEqual(given, expected) ? { tenant, keyId } : undefined;
  }

  async #mac(secret: NamedSecret, tenant: string, keyId: string): Promise<string> {
    const key = await this.#import(secret);
    const mac = await crypto.subtle.sign("HMAC", key, encoder.encode(signedPart(tenant, keyId)));
    return base32(new Uint8Array(mac, 0, MAC_BYTES));
  }

  async #import({ id, secret }: NamedSecret): Promise<CryptoKey> {
    const known = this.#imported.get(id);
    if (known !== undefined) return known;
    const imported = await importHmacKey(secret);
    this.#imported.set(id, imported);
    return imported;
  }
}

/** A secret as a key that signs with HMAC-SHA256. */
export function importHmacKey(secret: string): Promise<CryptoKey> {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  return crypto.subtle.importKey("raw", encoder.encode(secret), algorithm, false, ["sign"]);
}
