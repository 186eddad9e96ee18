import { describe, expect, it } from "vitest";

import { ExecutorSigner } from "../../gateway/lanes/executor-signer.ts";
import { formatSignature, parseSignature, signedText } from "../../protocol/signature.ts";

const signature = {
  secretId: "a",
  timestampMs: 1_800_000_000_000,
  nonce: "0123456789abcdef",
  bootId: "boot-1",
  mac: "0".repeat(64),
};

describe("parseSignature()", () => {
  it("reads what formatSignature() writes", () => {
    expect(parseSignature(formatSignature(signature))).toEqual(signature);
  });

  it.each([
    "",
    formatSignature({ ...signature, secretId: "ab" }),
    formatSignature({ ...signature, nonce: "short" }),
    formatSignature({ ...signature, nonce: "0123456789 abcdef" }),
    formatSignature({ ...signature, mac: "0".repeat(63) }),
    formatSignature({ ...signature, mac: "G".repeat(64) }),
    formatSignature({ ...signature, timestampMs: -1 }),
    `${formatSignature(signature)} more`,
    formatSignature(signature).replace("v1", "v2"),
  ])("refuses what is not of the form: %s", (header) => {
    expect(parseSignature(header)).toBeUndefined();
  });
});

it("every part of a request changes the text that is signed", () => {
  const request = {
    method: "POST",
    target: "/v1/runs",
    timestampMs: 1,
    nonce: "n",
    bootId: "b",
    bodyDigest: "d",
  };
  const changes = [
    {},
    { method: "PUT" },
    { target: "/v1/runs?a" },
    { timestampMs: 2 },
    { nonce: "m" },
    { bootId: "c" },
    { bodyDigest: "e" },
  ];
  const texts = changes.map((change) => signedText({ ...request, ...change }));
  expect(new Set(texts).size).toBe(changes.length);
});

describe("ExecutorSigner", () => {
  const signer = new ExecutorSigner([
    { id: "a", secret: "e".repeat(32) },
    { id: "b", secret: "f".repeat(32) },
  ]);
  const request = { method: "POST", target: "/v1/runs", body: new TextEncoder().encode("hi") };

  it("signs with the first secret, over the body's digest and the executor's boot", async () => {
    const parsed = parseSignature(await signer.sign({ ...request, bootId: "boot-1" }));
    if (parsed === undefined) throw new Error("not of the form");
    expect(parsed).toMatchObject({ secretId: "a", bootId: "boot-1" });

    const hmac = { name: "HMAC", hash: "SHA-256" };
    const encoder = new TextEncoder();
    const secret = encoder.encode("e".repeat(32));
    const key = await crypto.subtle.importKey("raw", secret, hmac, false, ["sign"]);
    const { timestampMs, nonce, bootId } = parsed;
    // SHA-256 of "hi".
    const bodyDigest = "8f434346648f6b96df89dda901c5176b10a6d83961dd3c1ac88b59b2dc327aa4";
    const { method, target } = request;
    const text = signedText({ method, target, timestampMs, nonce, bootId, bodyDigest });
    const mac = await crypto.subtle.sign("HMAC", key, encoder.encode(text));
    expect(parsed.mac).toBe(hex(mac));
  });

  it("uses a nonce once", async () => {
    const [one, two] = await Promise.all([
      signer.sign({ ...request, bootId: "b" }),
      signer.sign({ ...request, bootId: "b" }),
    ]);
    expect(parseSignature(one)?.nonce).not.toBe(parseSignature(two)?.nonce);
  });

  it("needs a secret", () => {
    expect(() => new ExecutorSigner([])).toThrow(RangeError);
  });
});

const hex = (buffer: ArrayBuffer): string =>
  Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, "0")).join("");
