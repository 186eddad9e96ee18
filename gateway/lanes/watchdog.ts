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
  #heardAt: number;
  #timer: ReturnType<typeof setTimeout> | null = null;
  /** The bound that the call went over, in milliseconds; undefined while it has not. */
  passed: number | undefined;

  constructor(bounds: { readonly silenceMs: number; readonly totalMs: number }) {
    this.#silenceMs = bounds.silenceMs;
    this.#totalMs = bounds.totalMs;
    this.#heardAt = Date.now();
    this.#endsAt = this.#heardAt + bounds.totalMs;
    this.#arm();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The other side was heard: its silence begins anew. */
  heard(): void {
    this.#heardAt = Date.now();
  }

  /** Ends the call for another reason than time. */
  abort(): void {
    this.stop();
    this.#controller.abort();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  /** One timer serves however often the other side is heard: it looks again when it fires. */
  #arm(): void {
    const now = Date.now();
    const silentLeftMs = this.#heardAt + this.#silenceMs - now;
    const leftMs = Math.min(silentLeftMs, this.#endsAt - now);
    if (leftMs > 0) {
      this.#timer = setTimeout(() => this.#arm(), leftMs);
      return;
    }
    this.passed = silentLeftMs <= 0 ? this.#silenceMs : this.#totalMs;
    this.#controller.abort();
  }
}
