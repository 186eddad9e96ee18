/** Host work that one run has under way: timers, fetches, crypto; all of them under one cap. */
export class PendingOps {
  readonly #max: number;
  #count = 0;

  constructor(max: number) {
    this.#max = max;
  }

  get count(): number {
    return this.#count;
  }

  /** False where as much as allowed is under way. */
  add(): boolean {
    if (this.#count >= this.#max) return false;
    this.#count++;
    return true;
  }

  remove(): void {
    this.#count--;
  }
}
