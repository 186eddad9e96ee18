import type { Duplex } from "node:stream";

/**
 * Writes to a stream in as few pieces as can be: what is sent in one turn of the event loop's
 * microtasks leaves together, since each write is a packet, and a wake of the engine and of init.
 */
export class Outgoing {
  readonly #stream: Duplex;
  #waiting: Buffer[] = [];
  #flushed = Promise.withResolvers<void>();
  #drained: Promise<void> = Promise.resolve();
  #ends = false;

  constructor(stream: Duplex) {
    this.#stream = stream;
  }

  /** Resolves once the stream takes more; also when it is gone, as its owner learns that otherwise. */
  send(bytes: Buffer): Promise<void> {
    if (this.#waiting.length === 0) queueMicrotask(() => this.#flush());
    this.#waiting.push(bytes);
    return this.#flushed.promise;
  }

  /** Ends the stream once everything is written. */
  end(): void {
    this.#ends = true;
    if (this.#waiting.length === 0) this.#stream.end();
  }

  #flush(): void {
    const bytes = this.#waiting.length === 1 ? this.#waiting[0] : Buffer.concat(this.#waiting);
    const { resolve } = this.#flushed;
    this.#waiting = [];
    this.#flushed = Promise.withResolvers<void>();
    if (!this.#stream.writable || bytes === undefined) return resolve();
    if (!this.#stream.write(bytes)) this.#drained = onceDrained(this.#stream);
    void this.#drained.then(resolve);
    if (this.#ends) this.#stream.end();
  }
}

function onceDrained(stream: Duplex): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const done = () => {
    stream.off("drain", done).off("close", done);
    resolve();
  };
  stream.on("drain", done).on("close", done);
  return promise;
}
