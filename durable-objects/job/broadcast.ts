/** Tells all who wait that something is new. Keeps nothing: who comes later waits for the next. */
export class Broadcast {
  readonly #waiting = new Set<() => void>();

  tell(): void {
    for (const wake of this.#waiting) wake();
  }

  /** Waits for news, or for so long; says whether there were any. */
  async next(timeoutMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const end = (told: boolean): void => {
        clearTimeout(timer);
        this.#waiting.delete(wake);
        resolve(told);
      };
      const wake = (): void => end(true);
      const timer = setTimeout(() => end(false), timeoutMs);
      this.#waiting.add(wake);
    });
  }
}
