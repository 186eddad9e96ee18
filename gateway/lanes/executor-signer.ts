import type { NamedSecret } from "../../protocol/api-key.ts";
import { formatSignature, signedText } from "../../protocol/signature.ts";
import { importHmacKey } from "../identity/api-keys.ts";

/** Signs requests to executors with the first of the shared secrets, imported once. */
export class ExecutorSigner {
  readonly #secret: NamedSecret;
  #key: CryptoKey | undefined;

  /** @throws {RangeError} Where there is no secret. */
  constructor(secrets: readonly NamedSecret[]) {
    const [first] = secrets;
    if (first === undefined) throw new RangeError("Cannot sign requests: there is no secret");
    this.#secret = first;
  }

  /** The signature header of one request, good for one use within the window. */
  async sign(request: {
    readonly method: string;
    readonly target: string;
    readonly body: Uint8Array;
    readonly bootId: string;
  }): Promise<string> {
    const { method, target, body, bootId } = request;
    this.#key ??= await importHmacKey(this.#secret.secret);
    const timestampMs = Date.now();
    const nonce = crypto.randomUUID();
    const bodyDigest = hex(await crypto.subtle.digest("SHA-256", body));
    const text = signedText({ method, target, timestampMs, nonce, bootId, bodyDigest });
    const mac = hex(await crypto.subtle.sign("HMAC", this.#key, encoder.encode(text)));
    return formatSignature({ secretId: this.#secret.id, timestampMs, nonce, bootId, mac });
  }
}

const encoder = new TextEncoder();

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

function hex(buffer: ArrayBuffer): string {
  let text = "";
  for (const byte of new Uint8Array(buffer)) text += HEX[byte] ?? "";
  return text;
}
