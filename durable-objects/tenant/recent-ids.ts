/** Remembers the last so many ids, in two generations, so that forgetting costs nothing per id. */
export class RecentIds {
  readonly #generation: number;
  #current = new Set<string>();
  #previous: ReadonlySet<string> = new Set();

  /** Remembers at least `count` ids, and at most twice as many. */
  constructor(count: number) {
    this.#generation = count;
  }

  /** Whether the id is new; it is remembered from now on. */
  add(id: string): boolean {
    if (this.#current.has(id) || this.#previous.has(id)) return false;
    if (this.#current.size >= this.#generation) {
      this.#previous = this.#current;
      this.#current = new Set();
    }
    this.#current.add(id);
    return true;
  }
}
