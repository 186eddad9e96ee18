import { createHash, createHmac, randomBytes } from "node:crypto";

import type { NamedSecret } from "../../protocol/api-key.ts";
import { formatSignature, signedText } from "../../protocol/signature.ts";

/** The signature header of a request to an executor, as a gateway would sign it now. */
export function signatureOf(
  method: string,
  target: string,
  body: string,
  bootId: string,
  { id, secret }: NamedSecret,
): string {
  const timestampMs = Date.now();
  const nonce = randomBytes(16).toString("base64url");
  const bodyDigest = createHash("sha256").update(body).digest("hex");
  const mac = createHmac("sha256", secret)
    .update(signedText({ method, target, timestampMs, nonce, bootId, bodyDigest }))
    .digest("hex");
  return formatSignature({ secretId: id, timestampMs, nonce, bootId, mac });
}
