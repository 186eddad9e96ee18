const REPLACEMENT = 0xfffd;

/** Text as UTF-8; a lone surrogate becomes U+FFFD. */
export function encodeUtf8(text: string): Uint8Array<ArrayBuffer> {
  // Most text is ASCII, which needs one pass and no spare room.
  const ascii = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit >= 0x80) return encodeFrom(text, i, ascii);
    ascii[i] = unit;
  }
  return ascii;
}

function encodeFrom(text: string, start: number, ascii: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(start + (text.length - start) * 3);
  bytes.set(ascii.subarray(0, start));
  const { written } = encodeUtf8Into(text, start, bytes, start);
  return bytes.slice(0, written);
}

/** Writes as much of `text` as fits, whole code points only; says how far it came in both. */
export function encodeUtf8Into(
  text: string,
  from: number,
  bytes: Uint8Array,
  at: number,
): { readonly read: number; readonly written: number } {
  let read = from;
  let out = at;
  while (read < text.length) {
    let point = text.charCodeAt(read);
    let units = 1;
    if (point >= 0xd800 && point < 0xe000) {
      const next = text.charCodeAt(read + 1);
      const isPair = point < 0xdc00 && next >= 0xdc00 && next < 0xe000;
      point = isPair ? 0x10000 + ((point - 0xd800) << 10) + (next - 0xdc00) : REPLACEMENT;
      units = isPair ? 2 : 1;
    }
    const size = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    if (out + size > bytes.length) break;
    if (size === 1) bytes[out++] = point;
    else {
      bytes[out++] = (size === 2 ? 0xc0 : size === 3 ? 0xe0 : 0xf0) | (point >> (6 * (size - 1)));
      for (let left = size - 2; left >= 0; left--)
        bytes[out++] = 0x80 | ((point >> (6 * left)) & 63);
    }
    read += units;
  }
  return { read, written: out };
}

/** Where a decoder stands between two chunks. */
export interface Utf8State {
  needed: number;
  point: number;
  lower: number;
  upper: number;
}

export const newUtf8State = (): Utf8State => ({ needed: 0, point: 0, lower: 0x80, upper: 0xbf });

/** UTF-16 units made at a time: more arguments than this could overflow the stack. */
const UNITS_MAX = 4_096;

/**
 * Decodes UTF-8 as the Encoding standard says: what is malformed becomes U+FFFD, or throws where
 * `fatal`. With `stream`, what is incomplete at the end stays in `state` for the next chunk.
 *
 * @throws {TypeError} On malformed bytes where `fatal`.
 */
export function decodeUtf8(
  bytes: Uint8Array,
  fatal = false,
  state: Utf8State = newUtf8State(),
  stream = false,
): string {
  let text = "";
  let units: number[] = [];
  const put = (point: number): void => {
    if (point >= 0x10000) {
      units.push(0xd800 + ((point - 0x10000) >> 10), 0xdc00 + ((point - 0x10000) & 0x3ff));
    } else units.push(point);
    if (units.length >= UNITS_MAX) {
      text += String.fromCharCode.apply(null, units);
      units = [];
    }
  };
  const malformed = (): void => {
    if (fatal) throw new TypeError("Cannot decode: the bytes are not UTF-8");
    put(REPLACEMENT);
  };
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] as number;
    if (state.needed === 0) {
      if (byte < 0x80) put(byte);
      else if (!begin(state, byte)) malformed();
      continue;
    }
    if (byte < state.lower || byte > state.upper) {
      Object.assign(state, newUtf8State());
      malformed();
      i--;
      continue;
    }
    state.lower = 0x80;
    state.upper = 0xbf;
    state.point = (state.point << 6) | (byte & 0x3f);
    state.needed--;
    if (state.needed === 0) put(state.point);
  }
  if (!stream && state.needed > 0) {
    Object.assign(state, newUtf8State());
    malformed();
  }
  return text + String.fromCharCode.apply(null, units);
}

function begin(state: Utf8State, byte: number): boolean {
  if (byte >= 0xc2 && byte <= 0xdf) {
    state.needed = 1;
    state.point = byte & 0x1f;
  } else if (byte >= 0xe0 && byte <= 0xef) {
    state.needed = 2;
    state.point = byte & 0xf;
    if (byte === 0xe0) state.lower = 0xa0;
    if (byte === 0xed) state.upper = 0x9f;
  } else if (byte >= 0xf0 && byte <= 0xf4) {
    state.needed = 3;
    state.point = byte & 7;
    if (byte === 0xf0) state.lower = 0x90;
    if (byte === 0xf4) state.upper = 0x8f;
  } else return false;
  return true;
}
