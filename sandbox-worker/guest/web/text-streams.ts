import { TransformStream } from "./streams.ts";
import { TextDecoder, TextEncoder } from "./text-codec.ts";

/** A stream of text to one of UTF-8. */
export class TextEncoderStream {
  /** Half of a pair, when a chunk ended between the two. */
  #half = "";
  readonly #transform = new TransformStream<unknown, Uint8Array>({
    transform: (chunk, controller) => {
      let text = this.#half + String(chunk);
      const last = text.charCodeAt(text.length - 1);
      this.#half = last >= 0xd800 && last < 0xdc00 ? text.slice(-1) : "";
      if (this.#half !== "") text = text.slice(0, -1);
      if (text !== "") controller.enqueue(new TextEncoder().encode(text));
    },
    flush: (controller) => {
      if (this.#half !== "") controller.enqueue(new TextEncoder().encode(this.#half));
    },
  });

  get encoding(): string {
    return "utf-8";
  }
  get readable(): object {
    return this.#transform.readable;
  }
  get writable(): object {
    return this.#transform.writable;
  }
  get [Symbol.toStringTag](): string {
    return "TextEncoderStream";
  }
}

/** A stream of bytes to one of text. */
export class TextDecoderStream {
  readonly #decoder: TextDecoder;
  readonly #transform: TransformStream<unknown, string>;

  constructor(label?: unknown, options?: object) {
    const decoder = new TextDecoder(label, options);
    this.#decoder = decoder;
    this.#transform = new TransformStream<unknown, string>({
      transform(chunk, controller) {
        const text = decoder.decode(chunk, { stream: true });
        if (text !== "") controller.enqueue(text);
      },
      flush(controller) {
        const text = decoder.decode();
        if (text !== "") controller.enqueue(text);
      },
    });
  }

  get encoding(): string {
    return this.#decoder.encoding;
  }
  get fatal(): boolean {
    return this.#decoder.fatal;
  }
  get ignoreBOM(): boolean {
    return this.#decoder.ignoreBOM;
  }
  get readable(): object {
    return this.#transform.readable;
  }
  get writable(): object {
    return this.#transform.writable;
  }
  get [Symbol.toStringTag](): string {
    return "TextDecoderStream";
  }
}
