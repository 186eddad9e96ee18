import { RESULT_TEXT_BYTES } from "../../protocol/container-api.ts";
import type { Truncation } from "../../protocol/sandbox-api.ts";
import { startingAtCharacter } from "./output-recorder.ts";
import type { OutputRecorder, StreamName } from "./output-recorder.ts";
import { textPiece } from "./text-pieces.ts";

export interface ResultText {
  readonly stdout: string;
  readonly stderr: string;
  readonly truncated: Truncation | null;
}

/** A byte that is no UTF-8 becomes a replacement character of three. */
const REPLACEMENT_BYTES = 3;

/** How many bytes of each stream a result carries: all, else a fair share; what one leaves the other has. */
export function shares(
  stdoutBytes: number,
  stderrBytes: number,
  budget: number,
): Readonly<Record<StreamName, number>> {
  const half = Math.floor(budget / 2);
  const stdout = Math.min(stdoutBytes, Math.max(half, budget - stderrBytes));
  return { stdout, stderr: Math.min(stderrBytes, budget - stdout) };
}

/**
 * Head and tail of each stream as text, at most `outputBytes` and `RESULT_TEXT_BYTES` together.
 * Where a stream was cut stands a line that says how much.
 */
export function resultText(recorder: OutputRecorder, outputBytes: number): ResultText {
  const budget = Math.min(outputBytes, RESULT_TEXT_BYTES);
  const whole = textWithin(recorder, budget);
  const bytes = Buffer.byteLength(whole.stdout) + Buffer.byteLength(whole.stderr);
  return bytes <= RESULT_TEXT_BYTES
    ? whole
    : textWithin(recorder, Math.floor(budget / REPLACEMENT_BYTES));
}

function textWithin(recorder: OutputRecorder, budget: number): ResultText {
  const seen = (name: StreamName): number => recorder.seenBytes(name);
  const share = shares(seen("stdout"), seen("stderr"), budget);
  const stdout = cutText(recorder, "stdout", share.stdout);
  const stderr = cutText(recorder, "stderr", share.stderr);
  const cut = { stdoutBytes: stdout.cutBytes, stderrBytes: stderr.cutBytes };
  return {
    stdout: stdout.text,
    stderr: stderr.text,
    truncated: cut.stdoutBytes + cut.stderrBytes > 0 ? cut : null,
  };
}

function cutText(
  recorder: OutputRecorder,
  name: StreamName,
  budget: number,
): { readonly text: string; readonly cutBytes: number } {
  const seen = recorder.seenBytes(name);
  const recorded = recorder.recordedBytes(name);
  if (seen <= budget) return { text: recorder.read(name, 0).toString("utf8"), cutBytes: 0 };
  const roomBytes = Math.max(0, budget - markBytes(seen));
  const headBytes = Math.ceil(roomBytes / 2);
  const first = recorder.read(name, 0, headBytes);
  const head = first.subarray(0, first.byteLength - textPiece(first, false).heldBytes);
  const tailFrom = Math.max(head.byteLength, recorded - (roomBytes - headBytes));
  const tail = startingAtCharacter(recorder.read(name, tailFrom));
  const cutBytes = seen - head.byteLength - tail.byteLength;
  return { text: `${head.toString("utf8")}${mark(cutBytes)}${tail.toString("utf8")}`, cutBytes };
}

const mark = (cutBytes: number): string => `\n[${cutBytes} bytes cut]\n`;
const markBytes = (seen: number): number => Buffer.byteLength(mark(seen));
