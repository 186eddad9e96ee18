import { createHmac, createSecretKey, hash, timingSafeEqual } from "node:crypto";
import type { KeyObject } from "node:crypto";

import type { NamedSecret } from "../protocol/api-key.ts";
import { parseSignature, SIGNATURE_WINDOW_MS, signedText } from "../protocol/signature.ts";
import type { Signature } from "../protocol/signature.ts";
import type { NonceMemory } from "./nonce-memory.ts";

/** Why a request is not taken for a gateway's. Sent as `{"code": …}` with a 401. */
export type SignatureProblem = "bad_signature" | "stale_clock" | "replayed" | "unknown_boot";

export type SignatureCheck =
  | { readonly ok: true; readonly signature: Signature }
  | { readonly ok: false; readonly problem: SignatureProblem };

/** What of a request the signature is over, besides what it carries itself. */
export interface RequestToCheck {
  readonly method: string;
  readonly target: string;
  readonly body: Uint8Array;
}

const problem = (code: SignatureProblem): SignatureCheck => ({ ok: false, problem: code });

/** Whether a signature may be worth reading a body for: its form, secret, boot and clock. */
export function checkHeader(
  header: string | undefined,
  expected: { readonly bootId: string; readonly nowMs: number },
): SignatureCheck {
  const signature = header === undefined ? undefined : parseSignature(header);
  if (signature === undefined) return problem("bad_signature");
  if (signature.bootId !== expected.bootId) return problem("unknown_boot");
  if (Math.abs(signature.timestampMs - expected.nowMs) > SIGNATURE_WINDOW_MS) {
    return problem("stale_clock");
  }
  return { ok: true, signature };
}

/** Checks macs with a list of secrets; remembers the nonces of those that were right. */
export class MacCheck {
  readonly #keys: ReadonlyMap<string, KeyObject>;
  readonly #nonces: NonceMemory;

  constructor(secrets: readonly NamedSecret[], nonces: NonceMemory) {
    this.#keys = new Map(secrets.map(({ id, secret }) => [id, createSecretKey(secret, "utf8")]));
    this.#nonces = nonces;
  }

  /** Checks a signature whose header was good. Right once: the same again is `replayed`. */
  check(signature: Signature, request: RequestToCheck, nowMs: number): SignatureCheck {
    const { secretId, timestampMs, nonce, bootId, mac } = signature;
    const key = this.#keys.get(secretId);
    if (key === undefined) return problem("bad_signature");
    const bodyDigest = hash("sha256", request.body, "hex");
    const { method, target } = request;
    const text = signedText({ method, target, timestampMs, nonce, bootId, bodyDigest });
    const expected = createHmac("sha256", key).update(text).digest();
    if (!timingSafeEqual(expected, Buffer.from(mac, "hex"))) return problem("bad_signature");
    return this.#nonces.isNew(nonce, nowMs) ? { ok: true, signature } : problem("replayed");
  }
}
