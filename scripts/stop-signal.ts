/** A terminal's Ctrl-C reaches a process by several ways at once; that is one wish to stop. */
const SAME_WISH_MS = 500;

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Turns the first signal to stop into a promise, and the second into a call that hurries. */
export class StopSignal {
  readonly received: Promise<void>;
  #firstAt: number | null = null;
  #hurry: () => void;
  #resolve: () => void = () => {};
  readonly #listener = () => this.#take(Date.now());

  /** @param hurry What a second signal does until something else is set. */
  constructor(hurry: () => void) {
    this.#hurry = hurry;
    this.received = new Promise((resolve) => (this.#resolve = resolve));
    for (const signal of SIGNALS) process.on(signal, this.#listener);
  }

  get isReceived(): boolean {
    return this.#firstAt !== null;
  }

  /** Sets what a second signal does. */
  onRepeat(hurry: () => void): void {
    this.#hurry = hurry;
  }

  /** Gives the signals back to the process. */
  release(): void {
    for (const signal of SIGNALS) process.off(signal, this.#listener);
  }

  #take(now: number): void {
    if (this.#firstAt === null) {
      this.#firstAt = now;
      this.#resolve();
    } else if (now - this.#firstAt > SAME_WISH_MS) {
      this.#hurry();
    }
  }
}
