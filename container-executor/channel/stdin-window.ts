import { STDIN_WINDOW } from "./init-frames.ts";

const PART_BYTES = 32 * 1024;

/** Sends standard input no further ahead of the job than its init has room for. */
export class StdinWindow {
  readonly #send: (offset: number, bytes: Uint8Array) => Promise<void>;
  #sent = 0;
  #taken = 0;
  #moved = Promise.withResolvers<void>();
  #failure: Error | null = null;

  constructor(send: (offset: number, bytes: Uint8Array) => Promise<void>) {
    this.#send = send;
  }

  /** Bytes sent; after `resume`, those that arrived. */
  get sent(): number {
    return this.#sent;
  }

  /** Resolves once all of it was sent; rejects once the channel is gone. One call at a time. */
  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      if (this.#failure !== null) throw this.#failure;
      const room = STDIN_WINDOW - (this.#sent - this.#taken);
      if (room === 0) {
        await this.#moved.promise;
        continue;
      }
      const part = bytes.subarray(at, at + Math.min(room, PART_BYTES));
      const offset = this.#sent;
      at += part.length;
      this.#sent += part.length;
      await this.#send(offset, part);
    }
  }

  /** The job has taken so many bytes. */
  move(taken: number): void {
    this.#taken = taken;
    this.#wake();
  }

  /** Goes on from what init has received over any channel. */
  resume(received: number, taken: number): void {
    this.#sent = received;
    this.move(taken);
  }

  fail(error: Error): void {
    this.#failure = error;
    this.#wake();
  }

  #wake(): void {
    this.#moved.resolve();
    this.#moved = Promise.withResolvers<void>();
  }
}
