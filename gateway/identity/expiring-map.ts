/** A map that forgets: an entry at its time, and the oldest when there are too many. */
export class ExpiringMap<T> {
  readonly #max: number;
  readonly #entries = new Map<string, { readonly value: T; readonly expiresAt: number }>();

  constructor(max: number) {
    this.#max = max;
  }

  get(key: string, now: number): T | undefined {
    const entry = this.#entries.get(key);
    return entry !== undefined && now < entry.expiresAt ? entry.value : undefined;
  }

  set(key: string, value: T, expiresAt: number): void {
    this.#entries.delete(key);
    this.#entries.set(key, { value, expiresAt });
    if (this.#entries.size <= this.#max) return;
    const oldest = this.#entries.keys().next();
    if (oldest.done !== true) this.#entries.delete(oldest.value);
  }
}
