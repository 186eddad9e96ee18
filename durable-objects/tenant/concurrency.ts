/**
 * Who holds a place among a tenant's runs under way.
 *
 * A lease ends by itself, so a gateway that dies with a run costs its place for a while only. Held
 * in memory: an evicted object has been idle, and whoever comes back late finds nothing to release.
 */
export class Leases {
  readonly #expiries = new Map<string, number>();
  /** No lease ends before this, so until then nobody need look. */
  #earliest = Infinity;

  /** How many places are held at `now`. */
  held(now: number): number {
    if (now >= this.#earliest) this.#dropExpired(now);
    return this.#expiries.size;
  }

  has(runId: string): boolean {
    return this.#expiries.has(runId);
  }

  /** Holds a place until `expiresAt`; holding it again moves its end. */
  hold(runId: string, expiresAt: number): void {
    this.#expiries.set(runId, expiresAt);
    this.#earliest = Math.min(this.#earliest, expiresAt);
  }

  /** Whether the run held a place until now. */
  release(runId: string): boolean {
    return this.#expiries.delete(runId);
  }

  #dropExpired(now: number): void {
    this.#earliest = Infinity;
    for (const [runId, expiresAt] of this.#expiries) {
      if (expiresAt <= now) this.#expiries.delete(runId);
      else this.#earliest = Math.min(this.#earliest, expiresAt);
    }
  }
}

/** Whether one more may run; a limit of 0 is unlimited. */
export function hasPlace(held: number, limit: number): boolean {
  return limit === 0 || held < limit;
}
