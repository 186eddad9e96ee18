interface Asked {
  readonly answered: (payload: Buffer) => void;
  readonly failed: (error: Error) => void;
}

/** Requests that wait for their answers: those of one type come in the order of their requests. */
export class Requests {
  readonly #waiting = new Map<number, Asked[]>();
  #failure: Error | null = null;

  /** @param answerType The type of frame that answers. */
  add(answerType: number): Promise<Buffer> {
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    if (this.#failure !== null) reject(this.#failure);
    const waiting = this.#waiting.get(answerType) ?? [];
    waiting.push({ answered: resolve, failed: reject });
    this.#waiting.set(answerType, waiting);
    return promise;
  }

  /** An answer that nobody waits for is dropped. */
  answer(type: number, payload: Buffer): void {
    this.#waiting.get(type)?.shift()?.answered(payload);
  }

  /** Fails all that wait, and all that come. */
  fail(error: Error): void {
    this.#failure = error;
    for (const asked of [...this.#waiting.values()].flat()) asked.failed(error);
    this.#waiting.clear();
  }
}
