import { closeSync, ftruncateSync, openSync, readFileSync, readSync, writeSync } from "node:fs";

import type { ContainerEvent } from "../../protocol/container-api.ts";

/** An event but for its number and time, which the log gives. */
export type NewEvent = ContainerEvent extends infer E
  ? E extends ContainerEvent
    ? Omit<E, "seq" | "atMs">
    : never
  : never;

/** Lines kept in memory for followers that are up to date; older ones are read from the file. Bytes. */
const RECENT_BYTES = 256 * 1024;
/** Of one read from the file. */
const READ_BYTES = 256 * 1024;

const NEWLINE = 0x0a;

/**
 * One run's events, numbered from 1 without gaps: a line of JSON each, in a file, the latest in
 * memory, too. Written when `append` returns, so a crash of the service loses none.
 *
 * Owns its file's descriptor until `close`.
 */
export class EventLog {
  readonly #file: number;
  readonly #now: () => number;
  /** Where each event's line begins in the file; one more at the end for the next. */
  readonly #offsets: number[];
  #recent: { readonly seq: number; readonly line: Buffer }[] = [];
  #recentBytes = 0;
  #wakes: (() => void)[] = [];
  /** Whether an earlier life of the service wrote in it. */
  readonly isResumed: boolean;
  #ended: boolean;
  #closed = false;

  private constructor(file: number, offsets: number[], ended: boolean, now: () => number) {
    this.#file = file;
    this.#offsets = offsets;
    this.#ended = ended;
    this.isResumed = this.lastSeq > 0;
    this.#now = now;
  }

  /** Opens the log in `path`, new or as an earlier life of the service left it. `now` is milliseconds since the order. */
  static open(path: string, now: () => number): EventLog {
    const file = openSync(path, "a+", 0o600);
    const bytes = readFileSync(path);
    const offsets = [0];
    for (let at = bytes.indexOf(NEWLINE); at !== -1; at = bytes.indexOf(NEWLINE, at + 1)) {
      offsets.push(at + 1);
    }
    // A line that was being written when the service died.
    ftruncateSync(file, offsets.at(-1) ?? 0);
    const last = bytes.subarray(offsets.at(-2) ?? 0, offsets.at(-1) ?? 0);
    return new EventLog(file, offsets, last.includes('"type":"end"'), now);
  }

  get lastSeq(): number {
    return this.#offsets.length - 1;
  }

  /** Whether the `end` event is written. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Whether nothing can be read of it any more, or told. */
  get closed(): boolean {
    return this.#closed;
  }

  append(event: NewEvent): void {
    const seq = this.lastSeq + 1;
    const atMs = Math.max(0, Math.round(this.#now() * 1000) / 1000);
    const line = Buffer.from(`${JSON.stringify({ seq, atMs, ...event })}\n`);
    for (let written = 0; written < line.byteLength;) {
      written += writeSync(this.#file, line, written);
    }
    this.#offsets.push((this.#offsets.at(-1) ?? 0) + line.byteLength);
    this.#recent.push({ seq, line });
    this.#recentBytes += line.byteLength;
    while (this.#recentBytes > RECENT_BYTES && this.#recent.length > 1) {
      this.#recentBytes -= this.#recent.shift()?.line.byteLength ?? 0;
    }
    if (event.type === "end") this.#ended = true;
    this.#wake();
  }

  /** Lines after number `after`, as many as one read takes; empty where there are none yet. */
  read(after: number): { readonly lines: Buffer; readonly through: number } {
    const first = after + 1;
    if (first > this.lastSeq) return { lines: Buffer.alloc(0), through: after };
    const [oldest] = this.#recent;
    if (oldest !== undefined && first >= oldest.seq) {
      const lines = this.#recent.slice(first - oldest.seq).map(({ line }) => line);
      return { lines: Buffer.concat(lines), through: this.lastSeq };
    }
    const start = this.#offsets[first - 1] ?? 0;
    let through = first;
    while (through < this.lastSeq && (this.#offsets[through + 1] ?? 0) - start <= READ_BYTES) {
      through++;
    }
    const lines = Buffer.alloc((this.#offsets[through] ?? start) - start);
    for (let got = 0; got < lines.byteLength;) {
      const bytes = readSync(this.#file, lines, got, lines.byteLength - got, start + got);
      if (bytes === 0)
        throw new Error("Cannot read the event log: its file is shorter than it was");
      got += bytes;
    }
    return { lines, through };
  }

  /** Every event, parsed by the caller. */
  *texts(): Generator<string, void, undefined> {
    for (let after = 0; after < this.lastSeq;) {
      const { lines, through } = this.read(after);
      yield* lines.toString("utf8").split("\n").slice(0, -1);
      after = through;
    }
  }

  /** Resolves at the next event after number `after`, when the log is closed, or when the signal aborts. */
  async changed(after: number, signal: AbortSignal): Promise<void> {
    if (this.lastSeq > after || signal.aborted) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        signal.removeEventListener("abort", done);
        resolve();
      };
      signal.addEventListener("abort", done, { once: true });
      this.#wakes.push(done);
    });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeSync(this.#file);
    this.#wake();
  }

  #wake(): void {
    const wakes = this.#wakes;
    this.#wakes = [];
    for (const wake of wakes) wake();
  }
}
