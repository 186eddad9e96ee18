import { ops } from "../ops.ts";
import { DOMException } from "./dom-exception.ts";
import { makeSubtle, type SubtleCrypto } from "./subtle.ts";

/** What `getRandomValues` gives at most at once, as the standard says. Bytes. */
const RANDOM_MAX_BYTES = 65_536;

const subtle = makeSubtle();
let isMaking = false;

function randomBytes(length: number): Uint8Array {
  const text = ops.random(length);
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** Randomness, and `subtle`. */
export class Crypto {
  constructor() {
    if (!isMaking) throw new TypeError("Illegal constructor");
  }
  get subtle(): SubtleCrypto {
    return subtle;
  }
  getRandomValues<View extends ArrayBufferView>(view: View): View {
    const isInteger = ArrayBuffer.isView(view) && !/^(DataView|Float\d+Array)$/.test(tagOf(view));
    if (!isInteger) {
      throw new DOMException("Cannot fill what is no integer array", "TypeMismatchError");
    }
    if (view.byteLength > RANDOM_MAX_BYTES) {
      throw new DOMException(
        `Cannot give ${view.byteLength} random bytes: at most ${RANDOM_MAX_BYTES} at once`,
        "QuotaExceededError",
      );
    }
    const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
    if (bytes.length > 0) bytes.set(randomBytes(bytes.length));
    return view;
  }
  randomUUID(): string {
    const bytes = randomBytes(16);
    bytes[6] = ((bytes[6] as number) & 0x0f) | 0x40;
    bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
    const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
  }
  get [Symbol.toStringTag](): string {
    return "Crypto";
  }
}

const tagOf = (view: ArrayBufferView): string => Object.prototype.toString.call(view).slice(8, -1);

isMaking = true;
/** The global `crypto`. */
export const crypto = new Crypto();
isMaking = false;
