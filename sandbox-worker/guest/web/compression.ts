import { Deflate, Gunzip, Gzip, Inflate, Unzlib, Zlib } from "fflate";
import type { ReadableStream, WritableStream } from "web-streams-polyfill";

import { viewBytes } from "./idl.ts";
import { TransformStream } from "./streams.ts";

interface Codec {
  ondata: (chunk: Uint8Array<ArrayBuffer>, final: boolean) => void;
  push(chunk: Uint8Array, final?: boolean): void;
}

const COMPRESSORS: Readonly<Record<string, () => Codec>> = {
  gzip: () => new Gzip(),
  deflate: () => new Zlib(),
  "deflate-raw": () => new Deflate(),
};
const DECOMPRESSORS: Readonly<Record<string, () => Codec>> = {
  gzip: () => new Gunzip(),
  deflate: () => new Unzlib(),
  "deflate-raw": () => new Inflate(),
};

function transformBy(
  codecs: typeof COMPRESSORS,
  format: unknown,
): TransformStream<unknown, Uint8Array> {
  const make = Object.hasOwn(codecs, String(format)) ? codecs[String(format)] : undefined;
  if (make === undefined) {
    throw new TypeError(`Cannot use compression format "${String(format)}": it is not known`);
  }
  const codec = make();
  const push = (bytes: Uint8Array, final: boolean): void => {
    try {
      codec.push(bytes, final);
    } catch (cause) {
      throw new TypeError("Cannot decompress: the data is malformed or not whole", { cause });
    }
  };
  return new TransformStream<unknown, Uint8Array>({
    start(controller) {
      codec.ondata = (chunk) => {
        if (chunk.length > 0) controller.enqueue(chunk);
      };
    },
    transform(chunk) {
      const bytes = viewBytes(chunk);
      if (bytes === null) throw new TypeError("Cannot compress what is not bytes");
      push(bytes, false);
    },
    flush() {
      push(new Uint8Array(), true);
    },
  });
}

/** A stream of bytes to one of their `gzip`, `deflate` or `deflate-raw`. */
export class CompressionStream {
  readonly #transform: TransformStream<unknown, Uint8Array>;

  constructor(format: unknown) {
    this.#transform = transformBy(COMPRESSORS, format);
  }
  get readable(): ReadableStream<Uint8Array> {
    return this.#transform.readable;
  }
  get writable(): WritableStream<unknown> {
    return this.#transform.writable;
  }
  get [Symbol.toStringTag](): string {
    return "CompressionStream";
  }
}

/** A stream of compressed bytes to one of what they were. */
export class DecompressionStream {
  readonly #transform: TransformStream<unknown, Uint8Array>;

  constructor(format: unknown) {
    this.#transform = transformBy(DECOMPRESSORS, format);
  }
  get readable(): ReadableStream<Uint8Array> {
    return this.#transform.readable;
  }
  get writable(): WritableStream<unknown> {
    return this.#transform.writable;
  }
  get [Symbol.toStringTag](): string {
    return "DecompressionStream";
  }
}
