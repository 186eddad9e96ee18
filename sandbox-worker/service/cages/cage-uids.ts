/** So many ids are reserved from the base on: far more than cages can be. */
const RANGE = 65_536;

/**
 * User ids for cages, one for each that lives. Handed out in turns, so that an id rests for long
 * before it comes again, from a random place on, so that two services seldom meet.
 */
export class CageUids {
  readonly #base: number;
  readonly #taken = new Set<number>();
  #next: number;

  constructor(base: number, start: number = Math.floor(Math.random() * RANGE)) {
    this.#base = base;
    this.#next = start % RANGE;
  }

  take(): number {
    while (this.#taken.has(this.#next)) this.#next = (this.#next + 1) % RANGE;
    const offset = this.#next;
    this.#taken.add(offset);
    this.#next = (offset + 1) % RANGE;
    return this.#base + offset;
  }

  /** Gives an id back, once no process has it any more. */
  release(uid: number): void {
    this.#taken.delete(uid - this.#base);
  }
}
