import type { ConsoleLine, Truncation } from "../../protocol/sandbox-api.ts";

/** Lines kept of one run: each costs some hundred bytes of JSON besides its text. */
const OUTPUT_LINES_MAX = 10_000;
/** Below this cap the mark that names the cut would be most of the text. */
const MARK_FROM_BYTES = 256;
/** The longest mark that `cutMark` makes. */
const MARK_BYTES = 48;

interface KeptLine {
  readonly line: ConsoleLine;
  readonly bytes: number;
}

/** What a run said, ready for its end. */
export interface OutputEnd {
  readonly stdout: string;
  readonly stderr: string;
  readonly console: readonly ConsoleLine[];
  readonly truncated: Truncation | null;
}

/**
 * A run's console lines under a cap in bytes of UTF-8, both streams together, newlines counted.
 * Keeps the first half and the last half, counts what falls out between, and never holds more
 * than the cap and one line.
 */
export class Output {
  readonly #capBytes: number;
  readonly #headMax: number;
  readonly #linesMax: number;
  /** What marks take of the cap, once there is a cut; 0 where there are none. */
  readonly #markBytes: number;
  readonly #head: KeptLine[] = [];
  #headBytes = 0;
  #headClosed = false;
  #tail: KeptLine[] = [];
  /** Lines before this index fell out; removed in bulk. */
  #tailFrom = 0;
  #tailBytes = 0;
  readonly #cut = { stdout: 0, stderr: 0 };

  constructor(capBytes: number, linesMax = OUTPUT_LINES_MAX) {
    this.#capBytes = capBytes;
    this.#markBytes = capBytes >= MARK_FROM_BYTES ? 2 * MARK_BYTES : 0;
    this.#headMax = Math.ceil((capBytes - this.#markBytes) / 2);
    this.#linesMax = Math.max(2, linesMax);
  }

  push(line: ConsoleLine): void {
    const bytes = lineBytes(line);
    if (!this.#headClosed) {
      const roomy = this.#headBytes + bytes <= this.#headMax;
      if (roomy && this.#head.length < this.#linesMax / 2) {
        this.#head.push({ line, bytes });
        this.#headBytes += bytes;
        return;
      }
      this.#headClosed = true;
      if (bytes > this.#tailMax()) {
        this.#splitIntoHead(line, bytes);
        return;
      }
    }
    this.#tail.push({ line, bytes });
    this.#tailBytes += bytes;
    this.#trim(this.#tailMax());
  }

  end(): OutputEnd {
    const cutSome = (): boolean => this.#cut.stdout + this.#cut.stderr > 0;
    if (cutSome()) this.#trim(Math.max(0, this.#tailMax() - this.#markBytes));
    const head = this.#head.map(({ line }) => line);
    const tail = this.#tail.slice(this.#tailFrom).map(({ line }) => line);
    const text = (stream: ConsoleLine["stream"]): string => {
      const mark = this.#markBytes > 0 && this.#cut[stream] > 0 ? cutMark(this.#cut[stream]) : "";
      return textOf(head, stream) + mark + textOf(tail, stream);
    };
    return {
      stdout: text("stdout"),
      stderr: text("stderr"),
      console: [...head, ...tail],
      truncated: cutSome()
        ? { stdoutBytes: this.#cut.stdout, stderrBytes: this.#cut.stderr }
        : null,
    };
  }

  /** All of the cap that the head has not taken. */
  #tailMax(): number {
    return this.#capBytes - this.#headBytes;
  }

  /** One line longer than the whole tail: its beginning fills the head, its end the tail. */
  #splitIntoHead(line: ConsoleLine, bytes: number): void {
    const utf8 = Buffer.from(line.text);
    const room = this.#headMax - this.#headBytes - 1;
    const headText = room > 0 ? cutEnd(utf8, room) : "";
    const headBytes = headText === "" ? 0 : Buffer.byteLength(headText) + 1;
    if (headBytes > 0) {
      this.#head.push({ line: { ...line, text: headText }, bytes: headBytes });
      this.#headBytes += headBytes;
    }
    const rest = utf8.subarray(Math.max(0, headBytes - 1));
    const tail = cutStart(rest, Math.max(0, this.#tailMax() - 1));
    const tailBytes = tail === "" ? 0 : Buffer.byteLength(tail) + 1;
    this.#tail = tail === "" ? [] : [{ line: { ...line, text: tail }, bytes: tailBytes }];
    this.#tailFrom = 0;
    this.#tailBytes = tailBytes;
    this.#cut[line.stream] += Math.max(0, bytes - headBytes - tailBytes);
  }

  #trim(maxBytes: number): void {
    while (this.#tailBytes > maxBytes || this.#tail.length - this.#tailFrom > this.#linesMax / 2) {
      const first = this.#tail[this.#tailFrom];
      if (first === undefined) break;
      const over = this.#tailBytes - maxBytes;
      if (over > 0 && over < first.bytes - 1) {
        const text = cutStart(Buffer.from(first.line.text), first.bytes - 1 - over);
        const bytes = Buffer.byteLength(text) + 1;
        this.#tail[this.#tailFrom] = { line: { ...first.line, text }, bytes };
        this.#drop(first.line.stream, first.bytes - bytes);
        continue;
      }
      this.#tailFrom++;
      this.#drop(first.line.stream, first.bytes);
    }
    if (this.#tailFrom > 1_000 && this.#tailFrom > this.#tail.length / 2) {
      this.#tail = this.#tail.slice(this.#tailFrom);
      this.#tailFrom = 0;
    }
  }

  #drop(stream: ConsoleLine["stream"], bytes: number): void {
    this.#tailBytes -= bytes;
    this.#cut[stream] += bytes;
  }
}

const lineBytes = (line: ConsoleLine): number => Buffer.byteLength(line.text) + 1;

const cutMark = (bytes: number): string => `[... ${bytes} bytes cut ...]\n`;

function textOf(lines: readonly ConsoleLine[], stream: ConsoleLine["stream"]): string {
  let text = "";
  for (const line of lines) if (line.stream === stream) text += `${line.text}\n`;
  return text;
}

const isContinuation = (byte: number | undefined): boolean =>
  byte !== undefined && (byte & 0xc0) === 0x80;

/** The first `max` bytes, back to a whole character. */
function cutEnd(utf8: Buffer, max: number): string {
  let end = Math.min(max, utf8.byteLength);
  while (end > 0 && isContinuation(utf8[end])) end--;
  return utf8.toString("utf8", 0, end);
}

/** The last `max` bytes, on to a whole character. */
function cutStart(utf8: Buffer, max: number): string {
  let start = Math.max(0, utf8.byteLength - max);
  while (start < utf8.byteLength && isContinuation(utf8[start])) start++;
  return utf8.toString("utf8", start);
}
