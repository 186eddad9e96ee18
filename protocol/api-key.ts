/**
 * API keys: `bh_<tenant>_<key id>_<mac>`.
 *
 * The mac (128 bits, base32) is HMAC-SHA256 over `bh_<tenant>_<key id>`, so a forged key is refused
 * without asking anyone. The key id starts with the letter that names the signing secret, which
 * lets secrets be rotated while older keys go on verifying.
 */
export interface ApiKey {
  readonly tenant: string;
  readonly keyId: string;
  readonly mac: string;
}

export const TENANT_ID = /^[a-z0-9-]{1,40}$/;
export const KEY_ID = /^[a-z][a-z2-7]{16}$/;
const MAC = /^[a-z2-7]{26}$/;

/** The text a key's mac is over. */
export const signedPart = (tenant: string, keyId: string): string => `bh_${tenant}_${keyId}`;

/** Splits a key into its parts, or `undefined` where it is not of the form. Checks no mac. */
export function parseApiKey(text: string): ApiKey | undefined {
  if (text.length > 100) return undefined;
  const [prefix, tenant, keyId, mac, ...rest] = text.split("_");
  if (prefix !== "bh" || rest.length > 0) return undefined;
  if (tenant === undefined || keyId === undefined || mac === undefined) return undefined;
  if (!TENANT_ID.test(tenant) || !KEY_ID.test(keyId) || !MAC.test(mac)) return undefined;
  return { tenant, keyId, mac };
}

const ALPHABET = "abcdefghijklmnopqrstuvwxyz234567";

/** RFC 4648 base32 in lower case, without padding. */
export function base32(bytes: Uint8Array): string {
  let text = "";
  let bits = 0;
  let value = 0;
  for (const byte of bytes) {
    value = ((value << 8) | byte) & 0xfff;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += ALPHABET.charAt((value >>> bits) & 31);
    }
  }
  return bits === 0 ? text : text + ALPHABET.charAt((value << (5 - bits)) & 31);
}

/** A signing secret under its one-letter name. */
export interface NamedSecret {
  readonly id: string;
  readonly secret: string;
}

/**
 * Reads `id:secret,id:secret,…`: the first signs, all verify.
 *
 * @throws {TypeError} Saying what is wrong, never a secret's text.
 */
export function parseSecretList(variable: string, text: string): readonly NamedSecret[] {
  const secrets = text
    .split(",")
    .filter((part) => part !== "")
    .map((part) => {
      const colon = part.indexOf(":");
      return { id: part.slice(0, Math.max(colon, 0)), secret: part.slice(colon + 1) };
    });
  if (secrets.length === 0) {
    throw new TypeError(`Cannot read ${variable}: it must be a list "id:secret,…" of at least one`);
  }
  for (const { id, secret } of secrets) {
    if (!/^[a-z]$/.test(id)) {
      throw new TypeError(`Cannot read ${variable}: each id must be one lower-case letter`);
    }
    if (secret.length < 32) {
      throw new TypeError(
        `Cannot read ${variable}: secret "${id}" must have at least 32 characters`,
      );
    }
  }
  if (new Set(secrets.map(({ id }) => id)).size !== secrets.length) {
    throw new TypeError(`Cannot read ${variable}: each id may occur once`);
  }
  return secrets;
}
