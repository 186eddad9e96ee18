import { fromCharCode, NativeUint8Array, stringCharCodeAt } from "./primordials.ts";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const EQUALS = 61;

const codes = new NativeUint8Array(64);
const values = new NativeUint8Array(128);
for (let i = 0; i < 64; i++) {
  const code = ALPHABET.charCodeAt(i);
  codes[i] = code;
  values[code] = i;
}
const code = (bits: number): number => codes[bits & 63] as number;

/** Standard base64 with padding. Uses no method that a tenant could have replaced. */
export function encodeBase64(bytes: Uint8Array, length: number): string {
  let text = "";
  let at = 0;
  for (; at + 12 <= length; at += 12) {
    const a = triple(bytes, at);
    const b = triple(bytes, at + 3);
    const c = triple(bytes, at + 6);
    const d = triple(bytes, at + 9);
    text += fromCharCode(
      code(a >> 18),
      code(a >> 12),
      code(a >> 6),
      code(a),
      code(b >> 18),
      code(b >> 12),
      code(b >> 6),
      code(b),
      code(c >> 18),
      code(c >> 12),
      code(c >> 6),
      code(c),
      code(d >> 18),
      code(d >> 12),
      code(d >> 6),
      code(d),
    );
  }
  for (; at < length; at += 3) {
    const left = length - at;
    const a = triple(bytes, at);
    text += fromCharCode(
      code(a >> 18),
      code(a >> 12),
      left > 1 ? code(a >> 6) : EQUALS,
      left > 2 ? code(a) : EQUALS,
    );
  }
  return text;
}

function triple(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
}

/** Bytes of padded standard base64, as `encodeBase64` and the host write it. */
export function decodeBase64(text: string): Uint8Array<ArrayBuffer> {
  let length = text.length;
  while (length > 0 && stringCharCodeAt(text, length - 1) === EQUALS) length--;
  const bytes = new NativeUint8Array((length * 3) >> 2);
  let out = 0;
  let bits = 0;
  let held = 0;
  for (let i = 0; i < length; i++) {
    held = (held << 6) | (values[stringCharCodeAt(text, i)] ?? 0);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes[out++] = (held >> bits) & 255;
    }
  }
  return bytes;
}
