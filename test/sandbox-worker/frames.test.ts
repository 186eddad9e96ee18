import { describe, expect, it } from "vitest";

import { encodeFrame, FRAME_MAX_BYTES, FrameReader, Up } from "../../sandbox-worker/frames.ts";
import { KeptOutput } from "../../sandbox-worker/service/cages/kept-output.ts";

const LINE = JSON.stringify({ level: "log", stream: "stdout", atMs: 1, text: "" });
const texts = (reader: FrameReader, chunk: Buffer): string[] =>
  [...reader.push(chunk)].map(({ payload }) => payload.toString());

describe("a frame reader", () => {
  const stream = Buffer.concat(
    ["", "a", "bc", "d".repeat(1000)].map((text) => encodeFrame(Up.console, Buffer.from(text))),
  );

  it.each([1, 2, 3, 4, 5, 7, 64, 10_000])("reads the same frames from chunks of %i", (size) => {
    const reader = new FrameReader();
    const read: string[] = [];
    for (let at = 0; at < stream.length; at += size) {
      read.push(...texts(reader, stream.subarray(at, at + size)));
    }

    expect(read).toEqual(["", "a", "bc", "d".repeat(1000)]);
  });

  it.each([0, FRAME_MAX_BYTES + 1])("refuses a frame of length %i", (length) => {
    const head = Buffer.alloc(5);
    head.writeUInt32LE(length, 0);

    expect(() => texts(new FrameReader(), head)).toThrow(RangeError);
  });

  it("copies nothing of a chunk with many frames, so that each costs its own length", () => {
    const frame = encodeFrame(Up.console, Buffer.from(LINE));
    const chunk = Buffer.concat(Array.from({ length: 1000 }, () => frame));

    const memory = new Set([...new FrameReader().push(chunk)].map(({ payload }) => payload.buffer));

    expect([...memory]).toEqual([chunk.buffer]);
  });
});

it("output that is kept for later does not keep what it arrived in", () => {
  const chunk = Buffer.from(LINE);
  const kept = new KeptOutput(1000);

  kept.push(chunk);
  chunk.fill(0);

  expect(kept.text().console).toEqual([JSON.parse(LINE)]);
});
