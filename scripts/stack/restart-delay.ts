/** A service that has run this long is well again, and its earlier deaths no longer count. */
const FORGET_AFTER_MS = 30_000;

const FIRST_DELAY_MS = 100;
const MAX_DELAY_MS = 5_000;

/**
 * How long to wait before starting a service again. The first death costs next to nothing; one that
 * keeps dying is tried ever less often, but never given up.
 *
 * @param deaths When it died, the latest last.
 */
export function restartDelayMs(deaths: readonly number[], now: number): number {
  const recent = deaths.filter((at) => now - at < FORGET_AFTER_MS).length;
  return recent <= 1 ? 0 : Math.min(FIRST_DELAY_MS * 2 ** (recent - 2), MAX_DELAY_MS);
}
