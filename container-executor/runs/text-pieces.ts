/** Bytes of a stream as an event carries them. */
export interface TextPiece {
  readonly data: string;
  readonly encoding: "utf8" | "base64";
  /** Of the bytes that it stands for. */
  readonly bytes: number;
}

const STRICT = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * What of `bytes` can be told now, and how many at the end must wait for more: the beginning of a
 * character that is not whole. With `last` nothing waits. Bytes that are not UTF-8 are told in
 * base64, whole.
 */
export function textPiece(
  bytes: Buffer,
  last: boolean,
): { readonly piece: TextPiece | null; readonly heldBytes: number } {
  const heldBytes = last ? 0 : unfinishedBytes(bytes);
  const told = bytes.subarray(0, bytes.byteLength - heldBytes);
  if (told.byteLength === 0) return { piece: null, heldBytes };
  try {
    const data = STRICT.decode(told);
    return { piece: { data, encoding: "utf8", bytes: told.byteLength }, heldBytes };
  } catch {
    const data = told.toString("base64");
    return { piece: { data, encoding: "base64", bytes: told.byteLength }, heldBytes };
  }
}

/** Length of a character's beginning at the end, 0 to 3. */
function unfinishedBytes(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.byteLength); back++) {
    const byte = bytes[bytes.byteLength - back] ?? 0;
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) {
      const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      return back < length && byte <= 0xf4 ? back : 0;
    }
  }
  return 0;
}
