import { describe, expect, it } from "vitest";

import { KeyRing } from "../../gateway/identity/api-keys.ts";
import { base32, parseApiKey, parseSecretList, signedPart } from "../../protocol/api-key.ts";

describe("parseApiKey()", () => {
  const good = `bh_acme-1_a${"b".repeat(16)}_${"c".repeat(26)}`;

  it("splits a key into its parts", () => {
    expect(parseApiKey(good)).toEqual({
      tenant: "acme-1",
      keyId: `a${"b".repeat(16)}`,
      mac: "c".repeat(26),
    });
  });

  it.each([
    "",
    "bh",
    good.slice(0, -1),
    `${good}c`,
    `${good}_`,
    good.toUpperCase(),
    good.replace("acme-1", ""),
    good.replace("acme-1", "a".repeat(41)),
    good.replace("acme-1", "acme.1"),
    good.replace("bh_", "xx_"),
    good.replace("_ab", "_1b"),
    good.replace("ccc", "c8c"),
    `${good} `,
    "bh_".repeat(10_000),
  ])("refuses what is not of the form: %s", (text) => {
    expect(parseApiKey(text)).toBeUndefined();
  });
});

it.each([
  [[], ""],
  [[0x66], "my"],
  [[0x66, 0x6f], "mzxq"],
  [[0x66, 0x6f, 0x6f], "mzxw6"],
  [[0x66, 0x6f, 0x6f, 0x62], "mzxw6yq"],
  [[0x66, 0x6f, 0x6f, 0x62, 0x61], "mzxw6ytb"],
])("base32() of %j is %s, as in RFC 4648", (bytes, text) => {
  expect(base32(Uint8Array.from(bytes))).toBe(text);
});

describe("parseSecretList()", () => {
  const [one, two] = ["1".repeat(32), "2:".repeat(16)];

  it("reads ids and secrets in order, colons in secrets too", () => {
    expect(parseSecretList("S", `b:${one},a:${two}`)).toEqual([
      { id: "b", secret: one },
      { id: "a", secret: two },
    ]);
  });

  it.each([
    ["", /at least one/],
    [one, /each id must be one lower-case letter/],
    [`A:${one}`, /each id must be one lower-case letter/],
    ["a:short", /at least 32 characters/],
    [`a:${one},a:${two}`, /each id may occur once/],
  ])("refuses %j without repeating a secret", (text, message) => {
    expect(() => parseSecretList("KEY_SIGNING_SECRET", text)).toThrow(message);
    expect(() => parseSecretList("KEY_SIGNING_SECRET", text)).not.toThrow(/short|1111/);
  });
});

describe("KeyRing", () => {
  const secrets = parseSecretList("S", `b:${"1".repeat(32)},a:${"2".repeat(32)}`);

  it("signs with the first secret and verifies with all", async () => {
    const { keyId, key } = await new KeyRing(secrets).mint("acme");
    expect(keyId).toMatch(/^b/);
    const rotated = new KeyRing([...secrets].reverse());
    expect(await rotated.verify(key)).toEqual({ tenant: "acme", keyId });
    expect((await rotated.mint("acme")).keyId).toMatch(/^a/);
  });

  it("makes a key's mac as the protocol says", async () => {
    const { keyId, key } = await new KeyRing(secrets).mint("acme");
    const encoder = new TextEncoder();
    const hmac = { name: "HMAC", hash: "SHA-256" };
    const secret = encoder.encode("1".repeat(32));
    const imported = await crypto.subtle.importKey("raw", secret, hmac, false, ["sign"]);
    const text = encoder.encode(signedPart("acme", keyId));
    const mac = new Uint8Array(await crypto.subtle.sign("HMAC", imported, text), 0, 16);
    expect(key).toBe(`bh_acme_${keyId}_${base32(mac)}`);
  });

  it("knows no key of a secret that was dropped or is another's of that name", async () => {
    const { key } = await new KeyRing(secrets).mint("acme");
    expect(await new KeyRing(secrets.slice(1)).verify(key)).toBeUndefined();
    const imposter = new KeyRing([{ id: "b", secret: "3".repeat(32) }]);
    expect(await imposter.verify(key)).toBeUndefined();
  });
});
