/**
 * What one step of priority is worth in waiting: a job that has waited so much longer comes before
 * one of the next higher priority, so nothing waits for ever behind what is more urgent.
 */
export const AGEING_STEP_MS = 30_000;

/**
 * A job's place in its tenant's line, the smallest first: the time when it joined, moved forward by
 * its priority. It never changes, and yet jobs age: against it, newcomers fall behind.
 */
export const rankOf = (joinedAt: number, priority: number): number =>
  joinedAt - priority * AGEING_STEP_MS;

/** A job that waits. `seq` tells apart jobs of one rank: first in, first out. */
export interface Waiting {
  readonly id: string;
  readonly rank: number;
  readonly seq: number;
  /** Before this it is passed over. */
  readonly eligibleAt: number;
}

/** The jobs of one tenant that wait for one lane. In memory; the tenant's rows are what lasts. */
export class WaitingLine {
  /** Those that could start, in their order. */
  readonly #ready: Waiting[] = [];
  readonly #later = new Map<string, Waiting>();
  /** None of `#later` is eligible before this. */
  #nextAt = Infinity;

  get size(): number {
    return this.#ready.length + this.#later.size;
  }

  add(job: Waiting, now: number): void {
    if (job.eligibleAt <= now) {
      this.#ready.splice(this.#placeOf(job), 0, job);
      return;
    }
    this.#later.set(job.id, job);
    this.#nextAt = Math.min(this.#nextAt, job.eligibleAt);
  }

  remove(job: Waiting): void {
    if (this.#later.delete(job.id)) return;
    const place = this.#placeOf(job);
    if (this.#ready[place]?.id === job.id) this.#ready.splice(place, 1);
  }

  /** The job to start next, or the one that is `place` after it. */
  at(place: number, now: number): Waiting | undefined {
    this.#promote(now);
    return this.#ready[place];
  }

  /** How many could start at `now`. */
  eligible(now: number): number {
    this.#promote(now);
    return this.#ready.length;
  }

  /** From 1: how many that could start are before it, and itself. */
  position(job: Pick<Waiting, "rank" | "seq">, now: number): number {
    this.#promote(now);
    return this.#placeOf(job) + 1;
  }

  /** When the next of those that cannot start yet can; Infinity where none waits for its time. */
  nextEligibleAt(now: number): number {
    this.#promote(now);
    return this.#nextAt;
  }

  #promote(now: number): void {
    if (now < this.#nextAt) return;
    this.#nextAt = Infinity;
    for (const job of this.#later.values()) {
      if (job.eligibleAt > now) {
        this.#nextAt = Math.min(this.#nextAt, job.eligibleAt);
        continue;
      }
      this.#later.delete(job.id);
      this.#ready.splice(this.#placeOf(job), 0, job);
    }
  }

  /** How many of `#ready` are before it. */
  #placeOf({ rank, seq }: Pick<Waiting, "rank" | "seq">): number {
    let low = 0;
    let high = this.#ready.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const other = this.#ready[middle];
      if (other !== undefined && (other.rank - rank || other.seq - seq) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
