import { Readable } from "node:stream";
import type { Transform } from "node:stream";
import { createBrotliDecompress, createGunzip, createInflate, createInflateRaw } from "node:zlib";

import { EgressError } from "./egress-error.ts";

/** Each coding is a decompressor's memory; real servers use one. */
export const CONTENT_CODINGS_MAX = 3;

/**
 * How much more than the cap may come over the wire: codings grow what cannot be compressed, and
 * some, made for it, decode to nothing at all. Bytes.
 */
const WIRE_ALLOWANCE_BYTES = 65_536;

/** What we ask servers for, and decode. */
export const ACCEPT_ENCODING = "gzip, deflate, br";

/** `Content-Encoding` as a list, in the order it was applied, or `undefined` where we cannot decode it. */
export function contentCodings(values: readonly string[]): readonly string[] | undefined {
  const codings = values
    .flatMap((value) => value.split(","))
    .map((coding) => coding.trim().toLowerCase())
    .filter((coding) => coding !== "" && coding !== "identity");
  const known = codings.every((coding) => /^(?:x-)?gzip$|^deflate$|^br$/.test(coding));
  return known && codings.length <= CONTENT_CODINGS_MAX ? codings : undefined;
}

/**
 * The bytes that `wire` stands for, at most `maxBytes` of them; more, and it throws. Decodes as it
 * is read and holds no more than a few chunks, so a small response cannot become a large one here.
 *
 * @throws {EgressError} `too_large`, or `network` where the coding is broken or cut short.
 */
export async function* boundedBody(
  wire: AsyncIterable<Uint8Array>,
  codings: readonly string[],
  maxBytes: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  let stream = bounded(wire, codings.length === 0 ? maxBytes : maxBytes + WIRE_ALLOWANCE_BYTES);
  for (const coding of codings.toReversed()) stream = decoded(stream, coding);
  yield* codings.length === 0 ? stream : bounded(stream, maxBytes);
}

async function* bounded(
  chunks: AsyncIterable<Uint8Array>,
  maxBytes: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) {
      throw new EgressError("too_large", `Cannot take more than ${maxBytes} bytes of a response`);
    }
    yield chunk;
  }
}

async function* decoded(
  chunks: AsyncIterable<Uint8Array>,
  coding: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  const iterator = chunks[Symbol.asyncIterator]();
  const first = await iterator.next();
  // Nothing at all is how servers answer HEAD-like requests, whatever coding they name.
  if (first.done === true) return;
  const source = Readable.from(resumed(first.value, iterator), { objectMode: false });
  const decoder = decoderFor(coding, first.value);
  let lost: Error | undefined;
  source.on("error", (error) => {
    lost = error;
    decoder.destroy(error);
  });
  try {
    yield* source.pipe(decoder) as AsyncIterable<Uint8Array>;
  } catch (error) {
    if (error === lost) throw error;
    throw new EgressError("network", `Cannot decode the response: its ${coding} coding is broken`, {
      cause: error,
    });
  } finally {
    decoder.destroy();
    source.destroy();
  }
}

async function* resumed(
  first: Uint8Array,
  rest: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  yield first;
  yield* { [Symbol.asyncIterator]: () => rest };
}

function decoderFor(coding: string, first: Uint8Array): Transform {
  if (coding === "br") return createBrotliDecompress();
  if (coding !== "deflate") return createGunzip();
  // "deflate" means the zlib format, but some servers send the bare one; the first byte tells.
  return ((first[0] ?? 0) & 0x0f) === 0x08 ? createInflate() : createInflateRaw();
}
