import { describe, expect, it } from "vitest";

import { AttachStream } from "../../../container-executor/channel/attach-stream.ts";

function piece(stream: number, text: string): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt8(stream, 0);
  header.writeUInt32BE(text.length, 4);
  return Buffer.concat([header, Buffer.from(text)]);
}

describe("AttachStream", () => {
  const bytes = Buffer.concat([piece(1, "one"), piece(2, "error"), piece(1, ""), piece(1, " two")]);

  it.each([1, 2, 5, 9, bytes.length])("takes streams apart in pieces of %i bytes", (size) => {
    const attached = new AttachStream();
    const told = { stdout: "", stderr: "" };
    for (let at = 0; at < bytes.length; at += size) {
      for (const part of attached.push(bytes.subarray(at, at + size)) ?? []) {
        told[part.stream] += part.bytes.toString();
      }
    }

    expect(told).toEqual({ stdout: "one two", stderr: "error" });
  });

  it("knows what is no attach stream", () => {
    expect(new AttachStream().push(Buffer.from("HTTP/1.1 500 Internal"))).toBeNull();
  });
});
