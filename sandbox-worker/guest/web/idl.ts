/** A value as the web's `DOMString`. */
export function toDomText(value: unknown): string {
  return String(value);
}

/** A value as the web's `USVString`: text without lone surrogates. */
export function toText(value: unknown): string {
  return String(value).toWellFormed();
}

/** A value as the web's `BufferSource`, as a view of its bytes; null where it is none. */
export function viewBytes(value: unknown): Uint8Array<ArrayBuffer> | null {
  if (ArrayBuffer.isView(value)) {
    return new Uint8Array(value.buffer as ArrayBuffer, value.byteOffset, value.byteLength);
  }
  return value instanceof ArrayBuffer ? new Uint8Array(value) : null;
}

/** A copy of the bytes of a `BufferSource`, which its owner can't change any more. */
export function copyBytes(value: unknown): Uint8Array<ArrayBuffer> | null {
  return viewBytes(value)?.slice() ?? null;
}

/** Bytes as text of one character each, which is how they cross to the host. */
export function toLatin1(bytes: Uint8Array): string {
  let text = "";
  // More arguments at once could overflow the stack.
  for (let at = 0; at < bytes.length; at += 4_096) {
    text += String.fromCharCode.apply(null, bytes.subarray(at, at + 4_096) as unknown as number[]);
  }
  return text;
}

/** Chunks as one. */
export function joinBytes(chunks: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(chunks.reduce((length, chunk) => length + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}
