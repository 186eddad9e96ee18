const encoder = new TextEncoder();

/** Whether texts have at most so many bytes together; counts bytes only where characters leave doubt. */
export function fits(texts: readonly string[], maxBytes: number): boolean {
  const chars = texts.reduce((sum, text) => sum + text.length, 0);
  if (chars > maxBytes) return false;
  if (chars * 3 <= maxBytes) return true;
  return texts.reduce((sum, text) => sum + encoder.encode(text).byteLength, 0) <= maxBytes;
}
