import { describe, expect, it } from "vitest";

import { KeyRing } from "../../../gateway/identity/api-keys.ts";

const SECRET = { id: "a", secret: "s".repeat(32) };

describe("KeyRing", () => {
  it("says whose key it is, the first time and after", async () => {
    const keys = new KeyRing([SECRET]);
    const { key, keyId } = await keys.mint("acme");
    expect(await keys.verify(key)).toEqual({ tenant: "acme", keyId });
    expect(await keys.verify(key)).toEqual({ tenant: "acme", keyId });
  });

  it("refuses what is almost a key that it has seen", async () => {
    const keys = new KeyRing([SECRET]);
    const { key } = await keys.mint("acme");
    await keys.verify(key);
    const last = key.endsWith("a") ? "b" : "a";
    expect(await keys.verify(`${key.slice(0, -1)}${last}`)).toBeUndefined();
    expect(await keys.verify(key.slice(0, -1))).toBeUndefined();
    expect(await keys.verify(key.replace("acme", "acmf"))).toBeUndefined();
    expect(await keys.verify(`${key} `)).toBeUndefined();
  });

  it("refuses a key each time that another secret signed", async () => {
    const { key } = await new KeyRing([{ ...SECRET, secret: "t".repeat(32) }]).mint("acme");
    const keys = new KeyRing([SECRET]);
    expect(await keys.verify(key)).toBeUndefined();
    expect(await keys.verify(key)).toBeUndefined();
  });
});
