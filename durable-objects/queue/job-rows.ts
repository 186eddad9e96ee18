import type { JobFilter, QueuedLane, SpecPlace } from "../job-contract.ts";
import type { Migration } from "../migrations.ts";
import { isOpen, type JobFacts, type JobRecord } from "./job-record.ts";

/** The queue's tables, a step of the Tenant object's schema. */
export const QUEUE_MIGRATION: Migration = (sql) => {
  sql.exec(`CREATE TABLE jobs (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    lane TEXT NOT NULL,
    state TEXT NOT NULL,
    open INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    ended_at INTEGER,
    facts TEXT NOT NULL,
    progress TEXT NOT NULL,
    spec TEXT NOT NULL
  )`);
  sql.exec("CREATE UNIQUE INDEX jobs_by_id ON jobs (id)");
  // What is still to be done. An object that comes back to memory reads these and no others.
  sql.exec("CREATE INDEX jobs_open ON jobs (seq) WHERE open = 1");
  sql.exec(`CREATE TABLE idempotency (
    seq INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    job_id TEXT NOT NULL,
    created_at INTEGER NOT NULL
  )`);
  sql.exec("CREATE UNIQUE INDEX idempotency_by_key ON idempotency (key)");
  sql.exec(
    "CREATE TABLE lanes (lane TEXT PRIMARY KEY, taken_epoch INTEGER NOT NULL) WITHOUT ROWID",
  );
};

/** The most rows that one page looks at; a page may be short, and its cursor goes on. */
export const PAGE_ROWS_MAX = 1_000;

interface JobRow extends Record<string, SqlStorageValue> {
  readonly seq: number;
  readonly facts: string;
  readonly progress: string;
}

type Progress = Omit<JobRecord, "seq" | "facts">;

/** A request with an idempotency key, as it was accepted first. */
export interface IdempotencyRecord {
  readonly fingerprint: string;
  readonly jobId: string;
  readonly createdAt: number;
}

/** A finished job that is kept. */
export interface KeptJob {
  readonly seq: number;
  readonly id: string;
  readonly open: number;
  readonly createdAt: number;
  readonly endedAt: number | null;
}

/**
 * A tenant's jobs in rows. Three rows are written for a job that is submitted (it and two index
 * entries), one when it is taken, two when it ends; one row is read when it starts, for its spec.
 */
export class JobRows {
  readonly #storage: DurableObjectStorage;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
  }

  /** All or nothing; nothing in `write` may wait. */
  transaction(write: () => void): void {
    this.#storage.transactionSync(write);
  }

  insert(job: JobRecord, spec: SpecPlace): void {
    const { seq, facts, ...progress } = job;
    this.#storage.sql.exec(
      `INSERT INTO jobs (seq, id, lane, state, open, created_at, facts, progress, spec)
       VALUES (?, ?, ?, ?, 1, ?, ?, ?, ?)`,
      seq,
      facts.id,
      facts.lane,
      progress.phase.state,
      facts.createdAt,
      JSON.stringify(facts),
      JSON.stringify(progress),
      JSON.stringify(spec),
    );
  }

  /** Writes what may change of a job. */
  update(job: JobRecord): void {
    const { seq, facts: _, ...progress } = job;
    const { phase } = progress;
    this.#storage.sql.exec(
      "UPDATE jobs SET state = ?, open = ?, ended_at = ?, progress = ? WHERE seq = ?",
      phase.state,
      isOpen(job) ? 1 : 0,
      "endedAt" in phase ? phase.endedAt : null,
      JSON.stringify(progress),
      seq,
    );
  }

  byId(id: string): JobRecord | undefined {
    const [row] = this.#storage.sql
      .exec<JobRow>("SELECT seq, facts, progress FROM jobs WHERE id = ?", id)
      .toArray();
    return row && recordOf(row);
  }

  spec(seq: number): SpecPlace | undefined {
    const [row] = this.#storage.sql
      .exec<{ spec: string }>("SELECT spec FROM jobs WHERE seq = ?", seq)
      .toArray();
    return row && (JSON.parse(row.spec) as SpecPlace);
  }

  open(): readonly JobRecord[] {
    return this.#storage.sql
      .exec<JobRow>("SELECT seq, facts, progress FROM jobs WHERE open = 1 ORDER BY seq")
      .toArray()
      .map(recordOf);
  }

  /** The newest before `before` that fit, and where to go on; null after the last. */
  page(
    { state, lane, limit }: Omit<JobFilter, "cursor">,
    before: number,
  ): { readonly jobs: readonly JobRecord[]; readonly next: number | null } {
    const rows = this.#storage.sql.exec<JobRow & { state: string; lane: string }>(
      "SELECT seq, state, lane, facts, progress FROM jobs WHERE seq < ? ORDER BY seq DESC LIMIT ?",
      before,
      PAGE_ROWS_MAX,
    );
    const jobs: JobRecord[] = [];
    let seen = 0;
    let last = before;
    for (const row of rows) {
      seen++;
      last = row.seq;
      if ((state ?? row.state) !== row.state || (lane ?? row.lane) !== row.lane) continue;
      jobs.push(recordOf(row));
      if (jobs.length === limit) return { jobs, next: last > this.firstSeq() ? last : null };
    }
    return { jobs, next: seen === PAGE_ROWS_MAX && last > this.firstSeq() ? last : null };
  }

  /** The smallest and the largest `seq`; 0 where there is no job. */
  firstSeq(): number {
    return this.#seq("min");
  }

  lastSeq(): number {
    return this.#seq("max");
  }

  /** The oldest from `from` on. */
  oldest(from: number, limit: number): readonly KeptJob[] {
    return this.#storage.sql
      .exec<KeptJob & Record<string, SqlStorageValue>>(
        `SELECT seq, id, open, created_at AS createdAt, ended_at AS endedAt
         FROM jobs WHERE seq >= ? ORDER BY seq LIMIT ?`,
        from,
        limit,
      )
      .toArray();
  }

  delete(seqs: readonly number[]): void {
    for (const seq of seqs) this.#storage.sql.exec("DELETE FROM jobs WHERE seq = ?", seq);
  }

  idempotency(key: string): IdempotencyRecord | undefined {
    const [row] = this.#storage.sql
      .exec<IdempotencyRecord & Record<string, SqlStorageValue>>(
        `SELECT fingerprint, job_id AS jobId, created_at AS createdAt
         FROM idempotency WHERE key = ?`,
        key,
      )
      .toArray();
    return row;
  }

  /** Over an older one of the same key, which must have ended. */
  saveIdempotency(key: string, { fingerprint, jobId, createdAt }: IdempotencyRecord): void {
    this.#storage.sql.exec(
      "INSERT OR REPLACE INTO idempotency (key, fingerprint, job_id, created_at) VALUES (?, ?, ?, ?)",
      key,
      fingerprint,
      jobId,
      createdAt,
    );
  }

  /** Deletes the oldest, up to a thousand, that were made before `before`; whether any was there. */
  dropIdempotency(before: number): boolean {
    const rows = this.#storage.sql
      .exec<{ seq: number; createdAt: number }>(
        "SELECT seq, created_at AS createdAt FROM idempotency ORDER BY seq LIMIT 1000",
      )
      .toArray();
    const old = rows.findLastIndex(({ createdAt }) => createdAt < before);
    const last = rows[old];
    if (last === undefined) return false;
    this.#storage.sql.exec("DELETE FROM idempotency WHERE seq <= ?", last.seq);
    return true;
  }

  /** The highest epoch of each lane that this tenant answered. */
  takenEpochs(): ReadonlyMap<QueuedLane, number> {
    const rows = this.#storage.sql
      .exec<{ lane: QueuedLane; taken_epoch: number }>("SELECT lane, taken_epoch FROM lanes")
      .toArray();
    return new Map(rows.map((row) => [row.lane, row.taken_epoch]));
  }

  saveTakenEpoch(lane: QueuedLane, epoch: number): void {
    this.#storage.sql.exec(
      `INSERT INTO lanes (lane, taken_epoch) VALUES (?, ?)
       ON CONFLICT (lane) DO UPDATE SET taken_epoch = excluded.taken_epoch`,
      lane,
      epoch,
    );
  }

  #seq(which: "min" | "max"): number {
    const { seq } = this.#storage.sql
      .exec<{ seq: number | null }>(`SELECT ${which}(seq) AS seq FROM jobs`)
      .one();
    return seq ?? 0;
  }
}

/** Rows are this class's own writing, so their shape is not checked again. */
const recordOf = ({ seq, facts, progress }: JobRow): JobRecord => ({
  seq,
  facts: JSON.parse(facts) as JobFacts,
  ...(JSON.parse(progress) as Progress),
});
