import { ReadableStream, TransformStream, WritableStream } from "web-streams-polyfill";

import { registerResultForm } from "../result/forms.ts";

export {
  ByteLengthQueuingStrategy,
  CountQueuingStrategy,
  ReadableByteStreamController,
  ReadableStream,
  ReadableStreamBYOBReader,
  ReadableStreamBYOBRequest,
  ReadableStreamDefaultController,
  ReadableStreamDefaultReader,
  TransformStream,
  TransformStreamDefaultController,
  WritableStream,
  WritableStreamDefaultController,
  WritableStreamDefaultWriter,
} from "web-streams-polyfill";

registerResultForm((value) => {
  for (const Stream of [ReadableStream, WritableStream, TransformStream]) {
    if (value instanceof Stream) {
      throw new TypeError(`Cannot return a ${Stream.name}: read what is in it first`);
    }
  }
  return null;
});

/** Everything a stream gives, as bytes. */
export async function readAllBytes(stream: ReadableStream<unknown>): Promise<Uint8Array[]> {
  const chunks: Uint8Array[] = [];
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return chunks;
    if (!(value instanceof Uint8Array)) {
      const error = new TypeError("Cannot read a body: a chunk of its stream is not a Uint8Array");
      await reader.cancel(error);
      throw error;
    }
    chunks.push(value);
  }
}

/** Whether somebody ever read from `stream` or cancelled it. The library keeps that in a field of its own. */
export function isDisturbed(stream: ReadableStream<unknown>): boolean {
  return (stream as unknown as { readonly _disturbed?: unknown })._disturbed === true;
}
