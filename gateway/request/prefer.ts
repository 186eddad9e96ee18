/**
 * Seconds that a caller would wait for its job, from `Prefer: wait=N` (RFC 7240), or undefined
 * where it has no such wish. What cannot be read is passed over, as that RFC asks.
 */
export function waitOf(header: string | undefined): number | undefined {
  for (const preference of header?.split(",") ?? []) {
    const seconds = /^\s*wait\s*=\s*"?([0-9]{1,6})"?\s*(?:;|$)/i.exec(preference)?.[1];
    if (seconds !== undefined) return Number(seconds);
  }
  return undefined;
}
