import { joinBytes } from "./idl.ts";

/** Who is told of a body as it comes in. */
export interface BodySink {
  chunk(bytes: Uint8Array<ArrayBuffer>): void;
  end(): void;
  failed(error: unknown): void;
}

/** A response's body on its way in. Chunks wait here until somebody reads; then it is read once. */
export class IncomingBody {
  #chunks: Uint8Array<ArrayBuffer>[] = [];
  #end: { readonly error: unknown; readonly failed: boolean } | null = null;
  #sink: BodySink | null = null;
  readonly #onCancel: () => void;

  /** `onCancel` is called when nobody wants the rest any more. */
  constructor(onCancel: () => void) {
    this.#onCancel = onCancel;
  }

  chunk(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#end !== null) return;
    if (this.#sink === null) this.#chunks.push(bytes);
    else this.#sink.chunk(bytes);
  }
  end(): void {
    if (this.#end !== null) return;
    this.#end = { failed: false, error: undefined };
    this.#sink?.end();
  }
  fail(error: unknown): void {
    if (this.#end !== null) return;
    this.#end = { failed: true, error };
    this.#sink?.failed(error);
  }
  cancel(): void {
    if (this.#end !== null) return;
    this.#end = { failed: false, error: undefined };
    this.#chunks = [];
    this.#onCancel();
  }

  /** Gives all that came and all that will come to `sink`. Once. */
  pipeTo(sink: BodySink): void {
    this.#sink = sink;
    for (const bytes of this.#chunks) sink.chunk(bytes);
    this.#chunks = [];
    if (this.#end === null) return;
    if (this.#end.failed) sink.failed(this.#end.error);
    else sink.end();
  }

  /** The whole body, when it is here. */
  whole(): Promise<Uint8Array<ArrayBuffer>> {
    const chunks: Uint8Array[] = [];
    return new Promise((resolve, reject) => {
      this.pipeTo({
        chunk: (bytes) => chunks.push(bytes),
        end: () => resolve(joinBytes(chunks)),
        failed: (error) => reject(error),
      });
    });
  }
}
