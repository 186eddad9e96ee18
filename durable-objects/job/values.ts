import { valueKey } from "../job-contract.ts";

/** A row holds 2 MB at most; a longer text goes to R2. Bytes. */
const ROW_VALUE_BYTES = 1024 * 1024;

/** A text that was put where it fits, and is not yet known to the rows. */
export interface PlacedValue {
  readonly name: string;
  /** Null where it is in R2. */
  readonly text: string | null;
}

/** A job's long texts (results), by name: in a row, or in R2 where a row cannot hold them. */
export class Values {
  readonly #sql: SqlStorage;
  readonly #bucket: R2Bucket;
  readonly #keyOf: (name: string) => string;

  constructor(
    sql: SqlStorage,
    bucket: R2Bucket,
    job: { readonly tenant: string; readonly jobId: string },
  ) {
    this.#sql = sql;
    this.#bucket = bucket;
    this.#keyOf = (name) => valueKey(job.tenant, job.jobId, name);
  }

  /** Brings a text to where it fits. Nothing knows of it until `save`. Safe to repeat. */
  async place(name: string, text: string): Promise<PlacedValue> {
    // A character is at most three bytes of UTF-8.
    if (text.length * 3 <= ROW_VALUE_BYTES) return { name, text };
    const bytes = new TextEncoder().encode(text);
    if (bytes.length <= ROW_VALUE_BYTES) return { name, text };
    await this.#bucket.put(this.#keyOf(name), bytes);
    return { name, text: null };
  }

  /** Writes the row; part of the caller's transaction. */
  save({ name, text }: PlacedValue): void {
    this.#sql.exec("INSERT OR REPLACE INTO value_texts (name, text) VALUES (?, ?)", name, text);
  }

  /** @throws {Error} Where R2 does not have what the row says it has. */
  async load(name: string): Promise<string | undefined> {
    const [row] = this.#sql
      .exec<{ text: string | null }>("SELECT text FROM value_texts WHERE name = ?", name)
      .toArray();
    if (row === undefined || row.text !== null) return row?.text ?? undefined;
    const object = await this.#bucket.get(this.#keyOf(name));
    if (object === null) throw new Error(`Cannot read the value "${name}": it is not in R2`);
    return object.text();
  }

  /** Drops a value's row; what R2 has of it goes with the job. Part of the caller's transaction. */
  drop(name: string): void {
    this.#sql.exec("DELETE FROM value_texts WHERE name = ?", name);
  }
}
