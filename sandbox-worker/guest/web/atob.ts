import { decodeBase64, encodeBase64 } from "../base64.ts";
import { DOMException } from "./dom-exception.ts";

/** Base64 of text in which each character is one byte. */
export function btoa(data: unknown): string {
  if (arguments.length === 0) throw new TypeError("Cannot encode: btoa needs a text");
  const text = String(data);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit > 255) {
      throw new DOMException(
        "Cannot encode: the text has characters outside Latin-1",
        "InvalidCharacterError",
      );
    }
    bytes[i] = unit;
  }
  return encodeBase64(bytes, bytes.length);
}

/** The text whose base64 this is, one character a byte. */
export function atob(data: unknown): string {
  if (arguments.length === 0) throw new TypeError("Cannot decode: atob needs a text");
  let text = String(data).replace(/[\t\n\f\r ]+/g, "");
  if (text.length % 4 === 0) text = text.replace(/==?$/, "");
  if (text.length % 4 === 1 || /[^A-Za-z0-9+/]/.test(text)) {
    throw new DOMException("Cannot decode: the text is not base64", "InvalidCharacterError");
  }
  let out = "";
  for (const byte of decodeBase64(text)) out += String.fromCharCode(byte);
  return out;
}
