import { Deflate, Gunzip, Gzip, Inflate, Unzlib, Zlib } from "fflate";
import type { ReadableStream, WritableStream } from "web-streams-polyfill";

import { viewBytes } from "./idl.ts";
import { TransformStream } from "./streams.ts";

interface Codec {
  ondata: (chunk: Uint8Array<ArrayBuffer>, final: boolean) => void;
  push(chunk: Uint8Array, final?: boolean): void;
}

/** How a format is made or read, and the fewest bytes that can be whole going in. */
interface Format {
  readonly make: () => Codec;
  readonly leastBytes: number;
}
type Formats = Readonly<Record<string, Format>>;

const COMPRESSORS: Formats = {
  gzip: { make: () => new Gzip(), leastBytes: 0 },
  deflate: { make: () => new Zlib(), leastBytes: 0 },
  "deflate-raw": { make: () => new Deflate(), leastBytes: 0 },
};
const DECOMPRESSORS: Formats = {
  gzip: { make: () => new Gunzip(), leastBytes: 18 },
  deflate: { make: () => new Unzlib(), leastBytes: 6 },
  "deflate-raw": { make: () => new Inflate(), leastBytes: 1 },
};

function transformBy(formats: Formats, name: unknown): TransformStream<unknown, Uint8Array> {
  const format = Object.hasOwn(formats, String(name)) ? formats[String(name)] : undefined;
  if (format === undefined) {
    throw new TypeError(`Cannot use compression format "${String(name)}": it is not known`);
  }
  const codec = format.make();
  let length = 0;
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
      length += bytes.length;
      push(bytes, false);
    },
    flush() {
      // The library says nothing of data that ends within its header.
      if (length < format.leastBytes)
        throw new TypeError("Cannot decompress: the data is not whole");
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
