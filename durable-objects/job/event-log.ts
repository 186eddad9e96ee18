import type { JobEventBody } from "../../protocol/job.ts";

/** What a row costs beside its text, so that many small ones are bounded as well. Bytes. */
const ROW_BYTES = 64;

/** An event as the log keeps it. */
export interface LoggedEvent {
  readonly seq: number;
  readonly type: JobEventBody["type"];
  /** JSON; where `valueName` is set, all but its last field's value and the closing brace. */
  readonly text: string;
  readonly valueName: string | null;
}

interface EventRow extends Record<string, SqlStorageValue> {
  readonly first: number;
  readonly last: number;
  readonly text: string;
  readonly value_name: string | null;
}

/** `done` without its result, which is kept once, by name. */
export interface DoneBody {
  readonly type: "done";
  readonly state: string;
  readonly valueName: string;
}

/**
 * A job's events: append-only, numbered from 1 without gaps, some to a row.
 *
 * Bounded: rows that are over `maxBytes` in all are dropped, oldest first, and `oldest` says from
 * where on events are kept. `done` is the last, and closes the log: what comes after is ignored.
 */
export class EventLog {
  readonly #sql: SqlStorage;
  readonly #maxBytes: number;
  #oldest: number;
  #last: number;
  #closed: boolean;
  /** Bytes ever written, and those of them that are kept. */
  #written: number;
  #kept: number;

  constructor(sql: SqlStorage, maxBytes: number) {
    this.#sql = sql;
    this.#maxBytes = maxBytes;
    const [oldest] = sql
      .exec<{ first: number; written: number; bytes: number }>(
        "SELECT first, written, bytes FROM events ORDER BY first LIMIT 1",
      )
      .toArray();
    const [newest] = sql
      .exec<{ last: number; written: number; value_name: string | null }>(
        "SELECT last, written, value_name FROM events ORDER BY first DESC LIMIT 1",
      )
      .toArray();
    this.#oldest = oldest?.first ?? 1;
    this.#last = newest?.last ?? 0;
    this.#closed = newest !== undefined && newest.value_name !== null;
    this.#written = newest?.written ?? 0;
    this.#kept = this.#written - ((oldest?.written ?? 0) - (oldest?.bytes ?? 0));
  }

  /** Number of the oldest event that is kept; one more than `last` where none is. */
  get oldest(): number {
    return this.#oldest;
  }

  get last(): number {
    return this.#last;
  }

  /** Whether `done` is written. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Numbers events and writes them as one row. Part of the caller's transaction, which must not fail after. */
  append(events: readonly Exclude<JobEventBody, { type: "done" }>[], at: string): void {
    if (this.#closed || events.length === 0) return;
    const lines = events.map(({ type, ...fields }, index) => {
      const head = `{"seq":${this.#last + 1 + index},"at":"${at}","type":"${type}"`;
      return `${head},${JSON.stringify(fields).slice(1)}`;
    });
    this.#write(events.length, lines.join("\n"), null);
  }

  /** Writes the last event. As `append`. */
  close({ type, state, valueName }: DoneBody, at: string): void {
    if (this.#closed) return;
    const head = `{"seq":${this.#last + 1},"at":"${at}","type":"${type}","state":"${state}"`;
    this.#write(1, `${head},"result":`, valueName);
    this.#closed = true;
  }

  /** Events after a number, from one or a few rows; empty where there are none. */
  read(after: number, rows = 4): readonly LoggedEvent[] {
    const found = this.#sql
      .exec<EventRow>(
        `SELECT first, last, text, value_name FROM events
         WHERE first >= coalesce((SELECT max(first) FROM events WHERE first <= ?), 0)
         ORDER BY first LIMIT ?`,
        after + 1,
        rows,
      )
      .toArray();
    return found
      .flatMap(({ first, text, value_name: valueName }) =>
        text.split("\n").map((line, index) => ({
          seq: first + index,
          type: typeOf(line),
          text: line,
          valueName,
        })),
      )
      .filter(({ seq }) => seq > after);
  }

  #write(count: number, text: string, valueName: string | null): void {
    // Characters stand for bytes: what the bound is for is memory and rows, not an invoice.
    const bytes = text.length + ROW_BYTES;
    const first = this.#last + 1;
    const last = this.#last + count;
    this.#sql.exec(
      "INSERT INTO events (first, last, bytes, written, text, value_name) VALUES (?, ?, ?, ?, ?, ?)",
      first,
      last,
      bytes,
      this.#written + bytes,
      text,
      valueName,
    );
    this.#last = last;
    this.#written += bytes;
    this.#kept += bytes;
    this.#dropOldest();
  }

  /** The newest row stays, whatever its size. */
  #dropOldest(): void {
    while (this.#kept > this.#maxBytes) {
      const [row] = this.#sql
        .exec<{ first: number; last: number; bytes: number }>(
          "SELECT first, last, bytes FROM events ORDER BY first LIMIT 1",
        )
        .toArray();
      if (row === undefined || row.last === this.#last) return;
      this.#sql.exec("DELETE FROM events WHERE first = ?", row.first);
      this.#kept -= row.bytes;
      this.#oldest = row.last + 1;
    }
  }
}

/** The log wrote the line's beginning itself, so the type stands where it put it. */
function typeOf(line: string): JobEventBody["type"] {
  const type = /^\{"seq":[0-9]+,"at":"[^"]*","type":"([a-z]+)"/.exec(line)?.[1];
  return (type ?? "gap") as JobEventBody["type"];
}

/** A stand-in for events that are no longer kept: it takes the number of the last of them. */
export function droppedGap(from: number, to: number, at: string): LoggedEvent {
  const text = JSON.stringify({ seq: to, at, type: "gap", what: "events", from, to });
  return { seq: to, type: "gap", text, valueName: null };
}
