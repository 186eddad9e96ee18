/**
 * How a gateway signs what it sends to an executor.
 *
 * `Bulkhead-Signature: v1 <secret id> <timestamp ms> <nonce> <boot id> <mac>`; the mac is
 * HMAC-SHA256, in lower-case hex, over `signedText`. The body's digest covers the run id, the
 * tenant and its caps, which travel in the body. The boot id is the executor's own, new with each
 * start, so that a restart, which forgets the nonces it has seen, refuses everything older.
 */
export const SIGNATURE_HEADER = "Bulkhead-Signature";

/** Names the executor's boot id on every answer, also on a 401, so the gateway can sign once more. */
export const BOOT_HEADER = "Bulkhead-Boot";

/** How far apart the two clocks may be, and how long a nonce is remembered each way; milliseconds. */
export const SIGNATURE_WINDOW_MS = 30_000;

export interface SignedRequest {
  readonly method: string;
  /** Path and query as on the request line. */
  readonly target: string;
  readonly timestampMs: number;
  readonly nonce: string;
  readonly bootId: string;
  /** SHA-256 of the body, lower-case hex. */
  readonly bodyDigest: string;
}

export interface Signature {
  readonly secretId: string;
  readonly timestampMs: number;
  readonly nonce: string;
  readonly bootId: string;
  readonly mac: string;
}

/** The text that the mac is over. */
export function signedText(request: SignedRequest): string {
  return [
    "v1",
    request.method,
    request.target,
    String(request.timestampMs),
    request.nonce,
    request.bootId,
    request.bodyDigest,
  ].join("\n");
}

export function formatSignature(signature: Signature): string {
  const { secretId, timestampMs, nonce, bootId, mac } = signature;
  return `v1 ${secretId} ${timestampMs} ${nonce} ${bootId} ${mac}`;
}

const FORM =
  /^v1 ([a-z]) ([0-9]{1,15}) ([A-Za-z0-9_-]{16,64}) ([A-Za-z0-9_-]{1,64}) ([0-9a-f]{64})$/;

/** Reads the header, or `undefined` where it is not of the form. Checks no mac. */
export function parseSignature(header: string): Signature | undefined {
  const match = FORM.exec(header);
  if (match === null) return undefined;
  const [, secretId = "", timestamp = "", nonce = "", bootId = "", mac = ""] = match;
  return { secretId, timestampMs: Number(timestamp), nonce, bootId, mac };
}
