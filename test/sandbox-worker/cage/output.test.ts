import { describe, expect, it } from "vitest";

import { Output } from "../../../sandbox-worker/cage/output.ts";

const line = (text: string, stream: "stdout" | "stderr" = "stdout") =>
  ({ level: stream === "stdout" ? "log" : "error", stream, atMs: 0, text }) as const;

describe("Output", () => {
  it("keeps everything under its cap, in order, by stream", () => {
    const output = new Output(100);
    output.push(line("one"));
    output.push(line("two", "stderr"));
    output.push(line("three"));
    expect(output.end()).toEqual({
      stdout: "one\nthree\n",
      stderr: "two\n",
      console: [line("one"), line("two", "stderr"), line("three")],
      truncated: null,
    });
  });

  it("cuts nothing at exactly its cap", () => {
    const output = new Output(8);
    output.push(line("abc"));
    output.push(line("def"));
    expect(output.end()).toMatchObject({ stdout: "abc\ndef\n", truncated: null });
  });

  it("cuts nothing under its cap, however lines and halves fall", () => {
    for (let length = 1; length < 40; length++) {
      const output = new Output(1_000);
      const lines = Math.floor(1_000 / (length + 1));
      for (let i = 0; i < lines; i++) output.push(line("x".repeat(length)));
      expect(output.end()).toMatchObject({
        stdout: `${"x".repeat(length)}\n`.repeat(lines),
        truncated: null,
      });
    }
  });

  it("keeps head and tail over its cap, and counts what is between", () => {
    const output = new Output(8);
    for (const text of ["abc", "def", "ghi", "jkl"]) output.push(line(text));
    expect(output.end()).toMatchObject({
      stdout: "abc\njkl\n",
      truncated: { stdoutBytes: 8, stderrBytes: 0 },
    });
  });

  it("never gives more text than its cap, the mark of the cut included", () => {
    const output = new Output(1_000);
    for (let i = 0; i < 5_000; i++)
      output.push(line(`line ${i}`, i % 2 === 0 ? "stdout" : "stderr"));
    const { stdout, stderr, truncated } = output.end();
    expect(Buffer.byteLength(stdout) + Buffer.byteLength(stderr)).toBeLessThanOrEqual(1_000);
    expect(stdout).toMatch(/^line 0\n/);
    expect(stdout).toContain(`[... ${truncated?.stdoutBytes} bytes cut ...]\n`);
    expect(stderr).toMatch(/line 4999\n$/);
  });

  it("counts every byte that it cut", () => {
    const output = new Output(40);
    let written = 0;
    for (let i = 0; i < 100; i++) {
      output.push(line(`${i}`));
      written += `${i}\n`.length;
    }
    const { stdout, truncated } = output.end();
    expect(stdout.length + (truncated?.stdoutBytes ?? 0)).toBe(written);
  });

  it("keeps the beginning and the end of one line longer than itself", () => {
    const output = new Output(20);
    output.push(line(`begin${"x".repeat(1_000)}end`));
    const { stdout, truncated } = output.end();
    expect(stdout).toMatch(/^begin/);
    expect(stdout).toMatch(/end\n$/);
    expect(truncated?.stdoutBytes).toBeGreaterThan(950);
  });

  it("cuts between characters, never within one", () => {
    const output = new Output(21);
    output.push(line("€".repeat(100)));
    expect(output.end().stdout).not.toContain("\ufffd");
  });

  it("bounds the number of lines, since an empty one costs too", () => {
    const output = new Output(1_000_000, 10);
    for (let i = 0; i < 1_000; i++) output.push(line(`${i}`));
    const { console } = output.end();
    expect(console.map(({ text }) => Number(text))).toEqual([
      0, 1, 2, 3, 4, 995, 996, 997, 998, 999,
    ]);
  });

  it("keeps nothing where the cap is nothing", () => {
    const output = new Output(0);
    output.push(line("a"));
    expect(output.end()).toMatchObject({
      stdout: "",
      truncated: { stdoutBytes: 2, stderrBytes: 0 },
    });
  });
});
