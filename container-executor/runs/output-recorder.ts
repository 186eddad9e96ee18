import { closeSync, fstatSync, openSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";

import { ContainerEvent } from "../../protocol/container-api.ts";
import type { EventLog } from "./event-log.ts";
import { textPiece } from "./text-pieces.ts";

export type StreamName = "stdout" | "stderr";
export const STREAMS: readonly StreamName[] = ["stdout", "stderr"];

export interface OutputCaps {
  /** Told live, both streams together. */
  readonly outputBytes: number;
  /** Kept whole, both streams together. */
  readonly outputFileBytes: number;
}

/** Of each stream's end that is told after a gap. */
const TAIL_BYTES = 64 * 1024;
/** No event is longer, so that no follower has to take more at once. */
const EVENT_BYTES = 64 * 1024;

interface StreamState {
  readonly file: number;
  /** Bytes in the file: the stream's first so many. */
  recorded: number;
  /** Bytes that the job wrote, recorded or not. */
  seen: number;
  /** Bytes that events tell, from the first on. */
  told: number;
}

/**
 * What a run writes: whole into a file per stream, up to a cap, and live into its events, up to a
 * lower one; what is over is a gap and a tail at the end.
 *
 * What `take` was given is on disk when it returns. Given the same bytes again, as an init does
 * after a re-attach, it takes none twice. Owns its files' descriptors until `close`.
 */
export class OutputRecorder {
  readonly #caps: OutputCaps;
  readonly #log: EventLog;
  readonly #streams: Readonly<Record<StreamName, StreamState>>;
  #finished = false;

  private constructor(
    caps: OutputCaps,
    log: EventLog,
    streams: Readonly<Record<StreamName, StreamState>>,
  ) {
    this.#caps = caps;
    this.#log = log;
    this.#streams = streams;
  }

  /** Opens the files in `folder`, new or as an earlier life of the service left them, and tells what that left untold. */
  static open(folder: string, caps: OutputCaps, log: EventLog): OutputRecorder {
    const told = toldBefore(log);
    const open = (name: StreamName): StreamState => {
      const file = openSync(join(folder, name), "a+", 0o600);
      const recorded = fstatSync(file).size;
      return { file, recorded, seen: recorded, told: told[name] };
    };
    const recorder = new OutputRecorder(caps, log, {
      stdout: open("stdout"),
      stderr: open("stderr"),
    });
    if (log.ended) recorder.#finished = true;
    else for (const name of STREAMS) recorder.#tellFromFile(name);
    return recorder;
  }

  /** Whether the job wrote more than is kept whole: it is to be ended. */
  get over(): boolean {
    return STREAMS.some((name) => this.#streams[name].seen > this.#streams[name].recorded);
  }

  seenBytes(name: StreamName): number {
    return this.#streams[name].seen;
  }

  recordedBytes(name: StreamName): number {
    return this.#streams[name].recorded;
  }

  /** Whether events tell all that the stream had. */
  isToldWhole(name: StreamName): boolean {
    const { told, seen } = this.#streams[name];
    return told === seen;
  }

  /** Takes bytes of a stream; `offset` is the first one's place in it. */
  take(name: StreamName, offset: number, bytes: Buffer): void {
    const stream = this.#streams[name];
    const fresh = bytes.subarray(Math.max(0, stream.seen - offset));
    if (fresh.byteLength === 0) return;
    stream.seen += fresh.byteLength;
    const room = this.#fileRoom();
    const kept = fresh.subarray(0, Math.max(0, room));
    for (let written = 0; written < kept.byteLength;) {
      written += writeSync(stream.file, kept, written);
    }
    stream.recorded += kept.byteLength;
    if (stream.told === stream.recorded - kept.byteLength) this.#tell(name, kept, false);
    else this.#tellFromFile(name);
  }

  /** Tells the end of each stream, and what is told nowhere. Once; then nothing more is taken. */
  finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    for (const name of STREAMS) {
      const stream = this.#streams[name];
      this.#tellFromFile(name, true);
      const untold = stream.recorded - stream.told;
      if (untold > 0) {
        const tail = this.read(name, stream.recorded - Math.min(untold, this.#tailBytes()));
        const text = startingAtCharacter(tail);
        const from = stream.recorded - text.byteLength;
        this.#gap(name, stream.told, from);
        stream.told = from;
        this.#tellPieces(name, text, true);
      }
      this.#gap(name, stream.told, stream.seen);
    }
  }

  /** Recorded bytes of a stream from `from` on, at most `max` of them. */
  read(name: StreamName, from: number, max = Infinity): Buffer {
    const { file, recorded } = this.#streams[name];
    const bytes = Buffer.alloc(Math.max(0, Math.min(recorded - from, max)));
    for (let got = 0; got < bytes.byteLength;) {
      const count = readSync(file, bytes, got, bytes.byteLength - got, from + got);
      if (count === 0) throw new Error("Cannot read the output: its file is shorter than it was");
      got += count;
    }
    return bytes;
  }

  close(): void {
    for (const name of STREAMS) closeSync(this.#streams[name].file);
  }

  /** Tells what the file has and events lack, as far as the live cap goes. */
  #tellFromFile(name: StreamName, last = false): void {
    const stream = this.#streams[name];
    for (;;) {
      const before = stream.told;
      const bytes = this.read(name, before, Math.min(EVENT_BYTES, this.#liveRoom()));
      this.#tell(name, bytes, last && before + bytes.byteLength === stream.recorded);
      if (stream.told === before || stream.told === stream.recorded) return;
    }
  }

  /** Tells bytes that follow what was told, as far as the live cap goes. */
  #tell(name: StreamName, bytes: Buffer, last: boolean): void {
    this.#tellPieces(name, bytes.subarray(0, Math.max(0, this.#liveRoom())), last);
  }

  #tellPieces(name: StreamName, bytes: Buffer, last: boolean): void {
    const stream = this.#streams[name];
    for (let at = 0; at < bytes.byteLength;) {
      const part = bytes.subarray(at, at + EVENT_BYTES);
      const { piece } = textPiece(part, last && at + part.byteLength === bytes.byteLength);
      if (piece === null) return;
      const { data, encoding } = piece;
      this.#log.append({ type: name, offset: stream.told, data, encoding });
      stream.told += piece.bytes;
      at += piece.bytes;
    }
  }

  #gap(stream: StreamName, from: number, to: number): void {
    if (to <= from) return;
    this.#log.append({ type: "gap", stream, from, to });
    this.#streams[stream].told = to;
  }

  #liveRoom(): number {
    const { stdout, stderr } = this.#streams;
    return this.#caps.outputBytes - stdout.told - stderr.told;
  }

  #fileRoom(): number {
    const { stdout, stderr } = this.#streams;
    const cap = Math.max(this.#caps.outputFileBytes, this.#caps.outputBytes);
    return cap - stdout.recorded - stderr.recorded;
  }

  #tailBytes(): number {
    return Math.min(TAIL_BYTES, Math.floor(this.#caps.outputBytes / 4));
  }
}

/** Up to where the events of an earlier life of the service tell each stream. */
function toldBefore(log: EventLog): Record<StreamName, number> {
  const told = { stdout: 0, stderr: 0 };
  for (const text of log.texts()) {
    const event = ContainerEvent.parse(JSON.parse(text));
    if (event.type === "gap") told[event.stream] = event.to;
    if (event.type === "stdout" || event.type === "stderr") {
      told[event.type] = event.offset + Buffer.byteLength(event.data, event.encoding);
    }
  }
  return told;
}

/** Without the rest of a character whose beginning is not among the bytes. */
export function startingAtCharacter(bytes: Buffer): Buffer {
  for (let at = 0; at < Math.min(4, bytes.byteLength); at++) {
    if (((bytes[at] ?? 0) & 0xc0) !== 0x80) return bytes.subarray(at);
  }
  return bytes;
}
