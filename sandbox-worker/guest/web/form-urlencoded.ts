import { decodeUtf8, encodeUtf8 } from "./utf-8.ts";

export type Pair = [name: string, value: string];

/** Reads `application/x-www-form-urlencoded` text into its pairs, in order. */
export function parseQuery(query: string): Pair[] {
  const pairs: Pair[] = [];
  for (const part of query.split("&")) {
    if (part === "") continue;
    const at = part.indexOf("=");
    const name = at === -1 ? part : part.slice(0, at);
    pairs.push([decode(name), at === -1 ? "" : decode(part.slice(at + 1))]);
  }
  return pairs;
}

/** Writes pairs as `application/x-www-form-urlencoded` text. */
export function serializeQuery(pairs: readonly (readonly [string, string])[]): string {
  return pairs.map(([name, value]) => `${encode(name)}=${encode(value)}`).join("&");
}

function decode(part: string): string {
  const text = part.includes("+") ? part.replaceAll("+", " ") : part;
  if (!text.includes("%")) return text;
  const raw = encodeUtf8(text);
  const bytes = new Uint8Array(raw.length);
  let length = 0;
  for (let i = 0; i < raw.length; i++) {
    const high = raw[i] === 0x25 ? hexValue(raw[i + 1]) : -1;
    const low = high === -1 ? -1 : hexValue(raw[i + 2]);
    if (low === -1) bytes[length++] = raw[i] as number;
    else {
      bytes[length++] = high * 16 + low;
      i += 2;
    }
  }
  return decodeUtf8(bytes.subarray(0, length));
}

function hexValue(code: number | undefined): number {
  if (code === undefined) return -1;
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const letter = code | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

const SAFE = /^[A-Za-z0-9*\-._]*$/;

function encode(part: string): string {
  if (SAFE.test(part)) return part;
  let text = "";
  for (const byte of encodeUtf8(part)) {
    const char = String.fromCharCode(byte);
    if (byte === 0x20) text += "+";
    else if (SAFE.test(char)) text += char;
    else text += `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return text;
}
