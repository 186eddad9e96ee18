import { createHash } from "node:crypto";

import { describe, expect, it } from "vitest";

import {
  encodeFrame,
  FrameDecoder,
  KEY_BYTES,
  MAX_OUT_PAYLOAD,
  OUT,
  SEAL_BYTES,
} from "../../../container-executor/channel/init-frames.ts";

const KEY = Buffer.alloc(KEY_BYTES, 7);
const synced = encodeFrame(OUT.synced, Buffer.concat([KEY, Buffer.alloc(16 + SEAL_BYTES)]));

/** Bytes that look random and are the same each time. */
function noise(length: number): Buffer {
  const parts: Buffer[] = [];
  for (let i = 0; i * 32 < length; i++) {
    parts.push(createHash("sha256").update(String(i)).digest());
  }
  return Buffer.concat(parts).subarray(0, length);
}

describe("FrameDecoder", () => {
  const payloads = [0, 1, 5, 255, 65_536].map(noise);
  const stream = Buffer.concat(payloads.map((payload, i) => encodeFrame(i + 1, payload)));

  it.each([1, 3, 7, 1000, stream.length])("finds frames in pieces of %i bytes", (size) => {
    const decoder = new FrameDecoder();
    const found: Buffer[] = [];
    for (let at = 0; at < stream.length; at += size) {
      const { frames, broken } = decoder.push(stream.subarray(at, at + size));
      expect(broken).toBeNull();
      found.push(...frames.map(({ payload }) => Buffer.from(payload)));
    }

    expect(found.map((payload) => payload.equals(payloads[found.indexOf(payload)]!))).toEqual(
      payloads.map(() => true),
    );
  });

  it("takes a frame of the longest payload with its seal, and breaks for good at one byte more", () => {
    const longest = encodeFrame(OUT.data, Buffer.alloc(MAX_OUT_PAYLOAD + SEAL_BYTES));
    expect(new FrameDecoder().push(longest).frames).toHaveLength(1);

    const decoder = new FrameDecoder();
    const over = encodeFrame(OUT.data, Buffer.alloc(MAX_OUT_PAYLOAD + SEAL_BYTES + 1));
    expect(decoder.push(Buffer.concat([longest, over]))).toMatchObject({
      frames: [{ type: OUT.data }],
      broken: expect.stringContaining("a frame of 65553 bytes") as unknown,
    });
    expect(decoder.push(longest)).toMatchObject({ frames: [], broken: expect.any(String) });
  });

  it("breaks on noise, or takes it for frames that no seal fits, and never grows", () => {
    const { broken } = new FrameDecoder().push(noise(200_000));
    expect(broken).not.toBeNull();
  });

  it.each([1, 5, 4096])("skips all before the frame that it waits for, in pieces of %i", (size) => {
    const decoder = new FrameDecoder(KEY);
    const rest = encodeFrame(OUT.started, Buffer.from("after"));
    const bytes = Buffer.concat([noise(3000), synced.subarray(0, 9), synced, rest]);
    const types: number[] = [];
    for (let at = 0; at < bytes.length; at += size) {
      types.push(...decoder.push(bytes.subarray(at, at + size)).frames.map(({ type }) => type));
    }

    expect(types).toEqual([OUT.synced, OUT.started]);
  });

  it("waits for a frame with its own key", () => {
    const other = new FrameDecoder(Buffer.alloc(KEY_BYTES, 8));
    expect(other.push(synced).frames).toEqual([]);
  });
});
