/**
 * Ends a call that is silent for too long, or lasts too long in all, through its signal.
 *
 * Stop it on every path: it holds a timer.
 */
export class Watchdog {
  readonly #controller = new AbortController();
  readonly #silenceMs: number;
  readonly #totalMs: number;
  readonly #endsAt: number;
  #timer: ReturnType<typeof setTimeout> | null = null;
  /** The bound that the call went over, in milliseconds; undefined while it has not. */
  passed: number | undefined;

  constructor(bounds: { readonly silenceMs: number; readonly totalMs: number }) {
    this.#silenceMs = bounds.silenceMs;
    this.#totalMs = bounds.totalMs;
    this.#endsAt = Date.now() + bounds.totalMs;
    this.#arm();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The other side was heard: its silence begins anew. */
  heard(): void {
    clearTimeout(this.#timer);
    this.#arm();
  }

  /** Ends the call for another reason than time. */
  abort(): void {
    this.stop();
    this.#controller.abort();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #arm(): void {
    const leftMs = Math.max(0, this.#endsAt - Date.now());
    const bySilence = this.#silenceMs < leftMs;
    this.#timer = setTimeout(
      () => {
        this.passed = bySilence ? this.#silenceMs : this.#totalMs;
        this.#controller.abort();
      },
      bySilence ? this.#silenceMs : leftMs,
    );
  }
}
