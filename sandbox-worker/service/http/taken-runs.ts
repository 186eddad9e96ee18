/** Beyond a run's own time: its wait for a cage, and a caller that is slow to ask again. */
const REMEMBERED_MS = 60_000;

/** Ids of some minutes at several hundred jobs a second. */
const REMEMBERED_MAX = 100_000;

/** A run that came with an id. */
interface TakenRun {
  readonly untilMs: number;
  /** Ends it; null once nothing of it lives. */
  stop: (() => void) | null;
  readonly over: PromiseWithResolvers<void>;
}

/**
 * The runs that came with an id, so that the same never starts twice, and can be ended. Lives as
 * long as the service: its cages die with it, and so do their runs.
 */
export class TakenRuns {
  readonly #max: number;
  /** In the order they were taken. */
  readonly #runs = new Map<string, TakenRun>();

  constructor(max: number = REMEMBERED_MAX) {
    this.#max = max;
  }

  /** Remembers an id for its run's time and a minute; false where it was there already. */
  take(runId: string, wallMs: number, nowMs: number): boolean {
    this.#forget(nowMs);
    if (this.#runs.has(runId)) return false;
    const untilMs = nowMs + wallMs + REMEMBERED_MS;
    this.#runs.set(runId, { untilMs, stop: null, over: Promise.withResolvers() });
    return true;
  }

  /** The run goes on until `ended` is called. */
  runs(runId: string, stop: () => void): void {
    const run = this.#runs.get(runId);
    if (run !== undefined) run.stop = stop;
  }

  /** Nothing of the run lives any more. */
  ended(runId: string): void {
    const run = this.#runs.get(runId);
    if (run === undefined) return;
    run.stop = null;
    run.over.resolve();
  }

  /** Nothing of the run was begun: it may come again. */
  release(runId: string): void {
    this.#runs.delete(runId);
  }

  /** Ends a run; resolves once nothing of it lives, with whether it was known. */
  async stop(runId: string): Promise<boolean> {
    const run = this.#runs.get(runId);
    if (run === undefined) return false;
    if (run.stop === null) return true;
    run.stop();
    await run.over.promise;
    return true;
  }

  /** Drops the oldest that are over, or too many. One with a long time only hides later ones for that long. */
  #forget(nowMs: number): void {
    for (const [runId, { untilMs, stop }] of this.#runs) {
      if (stop !== null || (untilMs > nowMs && this.#runs.size < this.#max)) return;
      this.#runs.delete(runId);
    }
  }
}
