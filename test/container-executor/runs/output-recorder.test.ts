import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { EventLog } from "../../../container-executor/runs/event-log.ts";
import { OutputRecorder } from "../../../container-executor/runs/output-recorder.ts";
import { resultText, shares } from "../../../container-executor/runs/result-text.ts";
import { textPiece } from "../../../container-executor/runs/text-pieces.ts";
import { ContainerEvent } from "../../../protocol/container-api.ts";

let folder: string;
let log: EventLog;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bulkhead-output-"));
  log = EventLog.open(join(folder, "events"), () => 1);
});
afterEach(() => {
  log.close();
  rmSync(folder, { recursive: true });
});

const open = (outputBytes: number, outputFileBytes = 1_000_000): OutputRecorder =>
  OutputRecorder.open(folder, { outputBytes, outputFileBytes }, log);

const told = (): readonly ContainerEvent[] =>
  [...log.texts()].map((text) => ContainerEvent.parse(JSON.parse(text)));

const texts = (): readonly string[] =>
  told().map((event) => {
    if (event.type === "gap") return `gap ${event.stream} ${event.from}-${event.to}`;
    return event.type === "stdout" || event.type === "stderr"
      ? `${event.type} ${event.offset} ${event.data}`
      : event.type;
  });

const bytes = (text: string): Buffer => Buffer.from(text);

describe("recording", () => {
  test("each piece is told once, at its offset, also where it comes again", () => {
    const recorder = open(100);
    recorder.take("stdout", 0, bytes("abc"));
    recorder.take("stderr", 0, bytes("x"));
    recorder.take("stdout", 1, bytes("bcde"));
    recorder.take("stdout", 0, bytes("abcde"));
    recorder.finish();
    expect(texts()).toEqual(["stdout 0 abc", "stderr 0 x", "stdout 3 de"]);
    expect(recorder.over).toBe(false);
    recorder.close();
  });

  test("a character waits for its last byte, and no longer than the stream", () => {
    const recorder = open(100);
    recorder.take("stdout", 0, bytes("aä").subarray(0, 2));
    expect(texts()).toEqual(["stdout 0 a"]);
    recorder.take("stdout", 2, bytes("ä").subarray(1));
    expect(texts()).toEqual(["stdout 0 a", "stdout 1 ä"]);
    recorder.take("stdout", 3, Buffer.from([0xe2, 0x82]));
    recorder.finish();
    expect(told().at(-1)).toMatchObject({ offset: 3, encoding: "base64", data: "4oI=" });
    recorder.close();
  });

  test("over the live cap comes a gap, and a tail at the end", () => {
    const recorder = open(8);
    recorder.take("stdout", 0, bytes("0123456789abcdef"));
    recorder.take("stdout", 16, bytes("ghij"));
    expect(texts()).toEqual(["stdout 0 01234567"]);
    recorder.finish();
    expect(texts().slice(1)).toEqual(["gap stdout 8-18", "stdout 18 ij"]);
    recorder.close();
  });

  test("what is over the file's cap is counted, and told as a gap", () => {
    const recorder = open(4, 10);
    recorder.take("stdout", 0, bytes("0123456789ab"));
    expect(recorder.over).toBe(true);
    recorder.finish();
    expect(texts()).toEqual(["stdout 0 0123", "gap stdout 4-9", "stdout 9 9", "gap stdout 10-12"]);
    recorder.close();
  });

  test("an earlier life's record is gone on with where it broke off", () => {
    const first = open(100);
    first.take("stdout", 0, bytes("abä").subarray(0, 3));
    first.close();
    log.close();
    log = EventLog.open(join(folder, "events"), () => 2);
    const second = open(100);
    second.take("stdout", 0, bytes("abäc"));
    second.finish();
    expect(texts()).toEqual(["stdout 0 ab", "stdout 2 äc"]);
    second.close();
  });

  test("bytes that a crash left untold are told by the next life", () => {
    const first = open(100);
    first.take("stdout", 0, bytes("recorded"));
    first.close();
    log.close();
    rmSync(join(folder, "events"));
    log = EventLog.open(join(folder, "events"), () => 2);
    open(100).close();
    expect(texts()).toEqual(["stdout 0 recorded"]);
  });
});

describe("a result's text", () => {
  test("carries all that fits, and the mark says how much does not", () => {
    const recorder = open(1000);
    recorder.take("stdout", 0, bytes("all"));
    expect(resultText(recorder, 1000)).toEqual({ stdout: "all", stderr: "", truncated: null });
    recorder.take("stderr", 0, bytes("e".repeat(5000)));
    const cut = resultText(recorder, 1000);
    expect(cut.stdout).toBe("all");
    expect(cut.stderr).toMatch(/^e+\n\[[0-9]+ bytes cut\]\ne+$/);
    expect(Buffer.byteLength(cut.stderr)).toBeLessThanOrEqual(997);
    const kept = cut.stderr.replace(/\n\[.*\]\n/, "").length;
    expect(cut.truncated).toEqual({ stdoutBytes: 0, stderrBytes: 5000 - kept });
    recorder.close();
  });

  test.for([
    [10, 10, 100, 10, 10],
    [90, 90, 100, 50, 50],
    [10, 500, 100, 10, 90],
    [500, 10, 100, 90, 10],
    [500, 0, 100, 100, 0],
    [5, 5, 0, 0, 0],
  ] as const)("%i and %i bytes within %i are %i and %i", ([out, err, budget, first, second]) => {
    expect(shares(out, err, budget)).toEqual({ stdout: first, stderr: second });
  });
});

test.for([
  ["text", bytes("aä"), false, "aä", 0],
  ["two of three bytes", Buffer.from([0x61, 0xe2, 0x82]), false, "a", 2],
  ["three of four bytes", Buffer.from([0xf0, 0x9f, 0x98]), false, undefined, 3],
  ["a lone continuation", Buffer.from([0x80]), false, "gA==", 0],
  ["a beginning at the end", Buffer.from([0xc3]), true, "ww==", 0],
  ["nothing", Buffer.alloc(0), false, undefined, 0],
] as const)("%s", ([, input, last, data, heldBytes]) => {
  const { piece, heldBytes: held } = textPiece(input, last);
  expect([piece?.data, held]).toEqual([data, heldBytes]);
});
