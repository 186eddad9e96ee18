import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { GuestHarness } from "../../support/guest-harness.ts";

let guest: GuestHarness;
beforeAll(async () => {
  guest = await GuestHarness.open();
});
afterAll(() => guest.close());

const HELPERS = `
  const bytes = (text) => new TextEncoder().encode(text); const text = (buffer) => new TextDecoder().decode(buffer);
  const hex = (buffer) => Array.from(new Uint8Array(buffer), (b) => b.toString(16).padStart(2, "0")).join("");
  const { subtle } = crypto;`;
const returned = (body: string) => guest.returned(HELPERS + body);

describe("randomness", () => {
  test("fills integer arrays, and no others", async () => {
    const body = `
      const view = crypto.getRandomValues(new Uint32Array(1000)); const same = new Uint8Array(4); const name = (make) => { try { make(); } catch (error) { return error.name; } };
      return [new Set(view).size > 990, crypto.getRandomValues(same) === same, name(() => crypto.getRandomValues(new Float32Array(1))), name(() => crypto.getRandomValues(new Uint8Array(65537))), crypto.getRandomValues(new Uint8Array(65536)).length, name(() => crypto.getRandomValues({}))];`;
    expect(await returned(body)).toEqual([
      true,
      true,
      "TypeMismatchError",
      "QuotaExceededError",
      65_536,
      "TypeMismatchError",
    ]);
  });

  test("gives UUIDs of version 4", async () => {
    const [one, other] = (await returned(
      `return [crypto.randomUUID(), crypto.randomUUID()];`,
    )) as string[];
    expect(one).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(other).not.toBe(one);
  });
});

describe("subtle", () => {
  test.each([
    ["SHA-1", "a9993e364706816aba3e25717850c26c9cd0d89d"],
    ["SHA-256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"],
    ["SHA-512", /^ddaf35a193617aba/],
  ])("digests by %s", async (name, digest) => {
    expect(await returned(`return hex(await subtle.digest("${name}", bytes("abc")));`)).toMatch(
      digest,
    );
  });

  test("signs and verifies by HMAC, with an imported key", async () => {
    const body = `
      const key = await subtle.importKey("raw", bytes("key"), { name: "HMAC", hash: "SHA-256" }, false, ["sign", "verify"]);
      const mac = await subtle.sign("HMAC", key, bytes("The quick brown fox jumps over the lazy dog"));
      return [hex(mac), await subtle.verify("HMAC", key, mac, bytes("The quick brown fox jumps over the lazy dog")), await subtle.verify("HMAC", key, mac, bytes("another")), await subtle.exportKey("raw", key).catch((e) => e.name), key.algorithm, [key.type, key.extractable, key.usages]];`;
    expect(await returned(body)).toEqual([
      "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8",
      true,
      false,
      "InvalidAccessError",
      { name: "HMAC", length: 24, hash: { name: "SHA-256" } },
      ["secret", false, ["sign", "verify"]],
    ]);
  });

  test.each([
    ["AES-GCM", `{ name: "AES-GCM", iv: new Uint8Array(12), additionalData: bytes("more") }`],
    ["AES-CBC", `{ name: "AES-CBC", iv: new Uint8Array(16) }`],
    ["AES-CTR", `{ name: "AES-CTR", counter: new Uint8Array(16), length: 64 }`],
  ])("encrypts and decrypts by %s", async (name, algorithm) => {
    const body = `
      const key = await subtle.generateKey({ name: "${name}", length: 256 }, true, ["encrypt", "decrypt"]);
      const sealed = await subtle.encrypt(${algorithm}, key, bytes("secret"));
      const jwk = await subtle.exportKey("jwk", key); const again = await subtle.importKey("jwk", jwk, "${name}", true, ["decrypt"]);
      return [text(sealed) === "secret", text(await subtle.decrypt(${algorithm}, again, sealed)), jwk.kty, await subtle.encrypt(${algorithm}, again, bytes("x")).catch((e) => e.name)];`;
    expect(await returned(body)).toEqual([false, "secret", "oct", "InvalidAccessError"]);
  });

  test.each([
    [
      "RSA-PSS",
      `{ name: "RSA-PSS", modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: "SHA-256" }`,
      `{ name: "RSA-PSS", saltLength: 32 }`,
    ],
    [
      "RSASSA-PKCS1-v1_5",
      `{ name: "RSASSA-PKCS1-v1_5", modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: "SHA-256" }`,
      `"RSASSA-PKCS1-v1_5"`,
    ],
    ["ECDSA", `{ name: "ECDSA", namedCurve: "P-256" }`, `{ name: "ECDSA", hash: "SHA-256" }`],
    ["Ed25519", `"Ed25519"`, `"Ed25519"`],
  ])("signs by %s, with keys that go out and come back", async (_name, generate, use) => {
    const body = `
      const { publicKey, privateKey } = await subtle.generateKey(${generate}, false, ["sign", "verify"]);
      const signature = await subtle.sign(${use}, privateKey, bytes("m"));
      const spki = await subtle.exportKey("spki", publicKey); const back = await subtle.importKey("spki", spki, publicKey.algorithm, true, ["verify"]);
      return [await subtle.verify(${use}, back, signature, bytes("m")), await subtle.verify(${use}, publicKey, signature, bytes("n")), publicKey.extractable, privateKey.extractable, await subtle.exportKey("pkcs8", privateKey).catch((e) => e.name)];`;
    expect(await returned(body)).toEqual([true, false, true, false, "InvalidAccessError"]);
  });

  test("encrypts by RSA-OAEP", async () => {
    const body = `
      const { publicKey, privateKey } = await subtle.generateKey({ name: "RSA-OAEP", modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: "SHA-256" }, true, ["encrypt", "decrypt"]);
      const sealed = await subtle.encrypt("RSA-OAEP", publicKey, bytes("small"));
      return [text(await subtle.decrypt("RSA-OAEP", privateKey, sealed)), [...publicKey.algorithm.publicExponent]];`;
    expect(await returned(body)).toEqual(["small", [1, 0, 1]]);
  });

  test.each([
    ["ECDH", `{ name: "ECDH", namedCurve: "P-256" }`],
    ["X25519", `{ name: "X25519" }`],
  ])("agrees on bits by %s", async (name, algorithm) => {
    const body = `
      const [a, b] = [await subtle.generateKey(${algorithm}, false, ["deriveBits"]), await subtle.generateKey(${algorithm}, false, ["deriveBits"])];
      const derive = async (mine, other) => hex(await subtle.deriveBits({ name: "${name}", public: other.publicKey }, mine.privateKey, 128));
      const [one, two] = [await derive(a, b), await derive(b, a)]; return [one === two, one.length];`;
    expect(await returned(body)).toEqual([true, 32]);
  });

  test("derives by PBKDF2 and HKDF, bits and keys", async () => {
    const body = `
      const password = await subtle.importKey("raw", bytes("password"), "PBKDF2", false, ["deriveBits", "deriveKey"]);
      const bits = hex(await subtle.deriveBits({ name: "PBKDF2", hash: "SHA-1", salt: bytes("salt"), iterations: 2 }, password, 160));
      const key = await subtle.deriveKey({ name: "PBKDF2", hash: "SHA-256", salt: bytes("salt"), iterations: 10 }, password, { name: "AES-GCM", length: 128 }, true, ["encrypt"]);
      const material = await subtle.importKey("raw", bytes("material"), "hkdf", false, ["deriveBits"]);
      const hkdf = await subtle.deriveBits({ name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info: bytes("i") }, material, 256);
      const refused = await subtle.importKey("raw", bytes("p"), "PBKDF2", true, ["deriveBits"]).catch((e) => e.name);
      return [bits, (await subtle.exportKey("raw", key)).byteLength, hkdf.byteLength, material.algorithm, refused];`;
    expect(await returned(body)).toEqual([
      "ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957",
      16,
      32,
      { name: "HKDF" },
      "SyntaxError",
    ]);
  });

  test("wraps and unwraps keys", async () => {
    const body = `
      const wrapping = await subtle.generateKey({ name: "AES-KW", length: 256 }, false, ["wrapKey", "unwrapKey"]);
      const key = await subtle.importKey("raw", new Uint8Array(16).fill(7), "AES-CBC", true, ["encrypt"]);
      const wrapped = await subtle.wrapKey("raw", key, wrapping, "AES-KW");
      const back = await subtle.unwrapKey("raw", wrapped, wrapping, "AES-KW", "AES-CBC", true, ["encrypt"]);
      const secret = await subtle.unwrapKey("raw", wrapped, wrapping, "AES-KW", "AES-CBC", false, ["encrypt"]);
      return [hex(await subtle.exportKey("raw", back)), secret.extractable, await subtle.wrapKey("raw", secret, wrapping, "AES-KW").catch((e) => e.name)];`;
    expect(await returned(body)).toEqual(["07".repeat(16), false, "InvalidAccessError"]);
  });

  test.each([
    [`subtle.digest("MD5", bytes("x"))`, "NotSupportedError"],
    [`subtle.digest("SHA-256", "text")`, "TypeError"],
    [`subtle.importKey("raw", bytes("short"), "AES-GCM", true, ["encrypt"])`, "DataError"],
    [
      `subtle.importKey("jwk", { kty: "oct", k: "AAAAAAAAAAAAAAAAAAAAAA", ext: false }, "AES-GCM", true, ["encrypt"])`,
      "DataError",
    ],
    [`subtle.generateKey({ name: "AES-GCM", length: 128 }, true, ["sign"])`, "SyntaxError"],
    [`subtle.encrypt("AES-GCM", {}, bytes("x"))`, "TypeError"],
  ])("rejects %s with %s", async (expression, name) => {
    expect(
      await returned(`return await ${expression}.then(() => "done", (error) => error.name);`),
    ).toBe(name);
  });

  test("keeps classes and the objects of one together", async () => {
    const body = `
      const key = await subtle.generateKey({ name: "AES-GCM", length: 128 }, true, ["encrypt"]);
      const refused = [Crypto, SubtleCrypto, CryptoKey].map((Class) => { try { new Class(); } catch (error) { return error.name; } });
      return [crypto instanceof Crypto, subtle instanceof SubtleCrypto, key instanceof CryptoKey, structuredClone(key) instanceof CryptoKey, refused];`;
    expect(await returned(body)).toEqual([
      true,
      true,
      true,
      true,
      ["TypeError", "TypeError", "TypeError"],
    ]);
  });
});
