import { createHash, createHmac } from "node:crypto";

import { describe, expect, it } from "vitest";

import { NonceMemory } from "../../executor-http/nonce-memory.ts";
import { checkHeader, MacCheck } from "../../executor-http/signature-check.ts";
import { formatSignature, SIGNATURE_WINDOW_MS, signedText } from "../../protocol/signature.ts";

const secrets = [
  { id: "b", secret: "b".repeat(32) },
  { id: "a", secret: "a".repeat(32) },
];
const request = { method: "POST", target: "/v1/runs", body: Buffer.from("body") };
const expected = { bootId: "boot", nowMs: 1_000_000 };

function sign(part: { secretId?: string; target?: string; nonce?: string; timestampMs?: number }) {
  const {
    secretId = "b",
    target = "/v1/runs",
    nonce = "n".repeat(16),
    timestampMs = 1_000_000,
  } = part;
  const bodyDigest = createHash("sha256").update("body").digest("hex");
  const text = signedText({
    method: "POST",
    target,
    timestampMs,
    nonce,
    bootId: "boot",
    bodyDigest,
  });
  const mac = createHmac("sha256", secretId.repeat(32)).update(text).digest("hex");
  return { secretId, timestampMs, nonce, bootId: "boot", mac };
}

describe("checkHeader()", () => {
  it.each([
    [-SIGNATURE_WINDOW_MS, true],
    [SIGNATURE_WINDOW_MS, true],
    [-SIGNATURE_WINDOW_MS - 1, false],
    [SIGNATURE_WINDOW_MS + 1, false],
  ])("of a clock %d ms off is %s", (offMs, ok) => {
    const header = formatSignature(sign({ timestampMs: expected.nowMs + offMs }));

    expect(checkHeader(header, expected).ok).toBe(ok);
  });

  it("tells another boot from another form", () => {
    const header = formatSignature(sign({}));

    expect(checkHeader(header, { ...expected, bootId: "next" })).toMatchObject({
      problem: "unknown_boot",
    });
    expect(checkHeader(undefined, expected)).toMatchObject({ problem: "bad_signature" });
    expect(checkHeader(`${header} `, expected)).toMatchObject({ problem: "bad_signature" });
  });
});

describe("MacCheck", () => {
  const macs = (): MacCheck => new MacCheck(secrets, new NonceMemory());

  it("takes a signature by any secret of the list, once", () => {
    const check = macs();

    for (const secretId of ["a", "b"]) {
      const signature = sign({ secretId, nonce: secretId.repeat(16) });
      expect(check.check(signature, request, 0)).toMatchObject({ ok: true });
      expect(check.check(signature, request, 0)).toEqual({ ok: false, problem: "replayed" });
    }
  });

  it("takes none by another secret, for another path, or over another body", () => {
    const problem = { ok: false, problem: "bad_signature" };

    expect(macs().check({ ...sign({}), secretId: "c" }, request, 0)).toEqual(problem);
    expect(macs().check(sign({ target: "/v1/runs?x" }), request, 0)).toEqual(problem);
    expect(macs().check(sign({}), { ...request, body: Buffer.from("b") }, 0)).toEqual(problem);
  });

  it("remembers no nonce of a signature that was wrong", () => {
    const check = macs();
    const signature = sign({});

    expect(check.check({ ...signature, mac: "0".repeat(64) }, request, 0).ok).toBe(false);
    expect(check.check(signature, request, 0).ok).toBe(true);
  });
});

describe("NonceMemory", () => {
  it("remembers for as long as a signature may be sent again", () => {
    const nonces = new NonceMemory();
    expect(nonces.isNew("one", 0)).toBe(true);
    expect(nonces.isNew("two", 59_000)).toBe(true);

    expect(nonces.isNew("one", 60_001)).toBe(false);
    expect(nonces.isNew("two", 59_000 + 2 * SIGNATURE_WINDOW_MS)).toBe(false);
  });

  it("forgets what is long past", () => {
    const nonces = new NonceMemory();
    nonces.isNew("one", 0);

    expect(nonces.isNew("one", 4 * SIGNATURE_WINDOW_MS)).toBe(true);
  });

  it("takes nothing that it could not remember", () => {
    const nonces = new NonceMemory(2);
    nonces.isNew("one", 0);
    nonces.isNew("two", 0);

    expect(nonces.isNew("three", 0)).toBe(false);
    expect(nonces.isNew("three", 2 * SIGNATURE_WINDOW_MS)).toBe(true);
  });
});
