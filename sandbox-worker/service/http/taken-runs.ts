/** Beyond a run's own time: its wait for a cage, and a caller that is slow to ask again. */
const REMEMBERED_MS = 60_000;

/** Ids of some minutes at several hundred jobs a second. */
const REMEMBERED_MAX = 100_000;

/**
 * Ids of the runs that came with one, so that the same never starts twice. Lives as long as the
 * service: its cages die with it, and so do their runs.
 */
export class TakenRuns {
  readonly #max: number;
  /** Until when, by id; in the order they were taken. */
  readonly #until = new Map<string, number>();

  constructor(max: number = REMEMBERED_MAX) {
    this.#max = max;
  }

  /** Remembers an id for its run's time and a minute; false where it was there already. */
  take(runId: string, wallMs: number, nowMs: number): boolean {
    this.#forget(nowMs);
    if (this.#until.has(runId)) return false;
    this.#until.set(runId, nowMs + wallMs + REMEMBERED_MS);
    return true;
  }

  /** Nothing of the run was begun: it may come again. */
  release(runId: string): void {
    this.#until.delete(runId);
  }

  /** Drops the oldest that are over, or too many. One with a long time only hides later ones for that long. */
  #forget(nowMs: number): void {
    for (const [runId, until] of this.#until) {
      if (until > nowMs && this.#until.size < this.#max) return;
      this.#until.delete(runId);
    }
  }
}
