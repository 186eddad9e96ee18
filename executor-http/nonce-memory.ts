import { SIGNATURE_WINDOW_MS } from "../protocol/signature.ts";

/** A signature made half a window ahead of our clock is good for two windows from then on. */
const REMEMBERED_MS = 2 * SIGNATURE_WINDOW_MS;

/** Nonces of `REMEMBERED_MS` at some 8,000 requests a second; each costs about 100 bytes. */
const NONCES_MAX = 500_000;

/**
 * The nonces seen while their signatures could still be sent again. Two generations, dropped
 * whole. Full, it takes no more, so nothing goes unremembered.
 */
export class NonceMemory {
  readonly #max: number;
  #current = new Set<string>();
  #previous = new Set<string>();
  #turnAtMs = -Infinity;

  constructor(max: number = NONCES_MAX) {
    this.#max = max;
  }

  /** Remembers a nonce; false where it was there already, or where there is no room for it. */
  isNew(nonce: string, nowMs: number): boolean {
    if (nowMs >= this.#turnAtMs) {
      this.#previous = nowMs >= this.#turnAtMs + REMEMBERED_MS ? new Set() : this.#current;
      this.#current = new Set();
      this.#turnAtMs = nowMs + REMEMBERED_MS;
    }
    if (this.#current.has(nonce) || this.#previous.has(nonce)) return false;
    if (this.#current.size >= this.#max) return false;
    this.#current.add(nonce);
    return true;
  }
}
