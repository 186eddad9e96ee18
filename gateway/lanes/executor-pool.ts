/** How long an executor that could not take work is asked last. */
const AVOID_MS = 1_000;

/** One executor, and what this gateway isolate knows of it. */
export interface Executor {
  /** As callers see it: `sandbox-1`. Its address is not theirs to know. */
  readonly name: string;
  readonly url: string;
  /** Learned from its answers; changes when it restarts. */
  bootId: string;
  inFlight: number;
  avoidUntil: number;
}

/** Sent where no boot id is known yet; the refusal names the right one. */
const UNKNOWN_BOOT = "unknown";

/** The executors of a lane, the least busy first. Counts what goes through this isolate. */
export class ExecutorPool {
  readonly #executors: readonly Executor[];
  #turn = 0;

  constructor(kind: string, urls: readonly string[]) {
    this.#executors = urls.map((url, index) => ({
      name: `${kind}-${index + 1}`,
      url,
      bootId: UNKNOWN_BOOT,
      inFlight: 0,
      avoidUntil: 0,
    }));
  }

  get size(): number {
    return this.#executors.length;
  }

  /** All executors in the order to try them; equals take turns. */
  inOrder(now: number): readonly Executor[] {
    const [only] = this.#executors;
    if (only !== undefined && this.#executors.length === 1) return [only];
    const turn = this.#turn++ % this.#executors.length;
    const rotated = [...this.#executors.slice(turn), ...this.#executors.slice(0, turn)];
    const avoided = (executor: Executor): number => (executor.avoidUntil > now ? 1 : 0);
    return rotated.toSorted((a, b) => avoided(a) - avoided(b) || a.inFlight - b.inFlight);
  }
}

/** Notes that an executor could not take work just now. */
export function avoid(executor: Executor, now: number): void {
  executor.avoidUntil = now + AVOID_MS;
}
