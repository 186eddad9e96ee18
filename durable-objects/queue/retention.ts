import { jobObjectName } from "../job-contract.ts";
import type { JobRows, KeptJob } from "./job-rows.ts";

/** How long a key answers with the job that it made. */
export const IDEMPOTENCY_MS = 24 * 60 * 60 * 1000;

/** Jobs that go in one step, and the wait before the next where something is left. */
const STEP_JOBS = 50;
const NEXT_STEP_MS = 1_000;
const LOOK_AGAIN_MS = 60_000;

/** What is kept. */
export interface RetentionPolicy {
  readonly retentionMs: number;
  /** Jobs that are over are kept only among so many of the latest. */
  readonly retentionMax: number;
}

/** Whether a job that is over must go. */
export function isOverdue(
  job: KeptJob,
  { retentionMs, retentionMax }: RetentionPolicy,
  lastSeq: number,
  now: number,
): boolean {
  if (job.open === 1 || job.endedAt === null) return false;
  return job.endedAt + retentionMs <= now || job.seq <= lastSeq - retentionMax;
}

/** Deletes jobs that have been over for long: first what their Job objects keep, then their rows. */
export class Retention {
  readonly #rows: JobRows;
  readonly #policy: RetentionPolicy;
  readonly #tenant: string;
  readonly #jobs: Env["JOB"];
  #isUnderWay = false;
  /** When the next step is due; undefined until the rows were looked at. */
  #dueAt: number | undefined;

  constructor(rows: JobRows, policy: RetentionPolicy, tenant: string, jobs: Env["JOB"]) {
    this.#rows = rows;
    this.#policy = policy;
    this.#tenant = tenant;
    this.#jobs = jobs;
  }

  nextDue(now: number): number {
    this.#dueAt ??= this.#firstDue(now);
    return this.#dueAt;
  }

  /** Jobs were added: the oldest may be too many now. */
  added(now: number): void {
    const first = this.#rows.firstSeq();
    const isOver = this.#rows.lastSeq() - first >= this.#policy.retentionMax + STEP_JOBS;
    const dueAt = isOver ? now : this.#policy.retentionMs + now;
    this.#dueAt = Math.min(this.nextDue(now), dueAt);
  }

  /** One step, from the oldest on. What a Job does not confirm stays for the next. */
  async step(now: number): Promise<void> {
    if (this.#isUnderWay || this.nextDue(now) > now) return;
    this.#isUnderWay = true;
    // Due again however this one ends, also with the object's life.
    this.#dueAt = now + LOOK_AGAIN_MS;
    try {
      this.#rows.dropIdempotency(now - IDEMPOTENCY_MS);
      const overdue = this.#overdue(now);
      const purged = await Promise.all(overdue.map((job) => this.#purge(job)));
      const seqs = overdue.filter((_, index) => purged[index]).map(({ seq }) => seq);
      this.#rows.transaction(() => this.#rows.delete(seqs));
      const isAll = overdue.length < STEP_JOBS && seqs.length === overdue.length;
      const next = isAll ? this.#firstDue(now) : now + NEXT_STEP_MS;
      this.#dueAt = Math.max(next, now + (isAll ? LOOK_AGAIN_MS : NEXT_STEP_MS));
    } finally {
      this.#isUnderWay = false;
    }
  }

  #overdue(now: number): readonly KeptJob[] {
    const lastSeq = this.#rows.lastSeq();
    const found: KeptJob[] = [];
    for (let from = 0; ;) {
      const jobs = this.#rows.oldest(from, STEP_JOBS);
      for (const job of jobs) {
        if (isOverdue(job, this.#policy, lastSeq, now)) found.push(job);
        if (found.length === STEP_JOBS) return found;
      }
      const last = jobs.at(-1);
      if (last === undefined || jobs.length < STEP_JOBS) return found;
      const mayFollow =
        last.createdAt + this.#policy.retentionMs <= now ||
        last.seq <= lastSeq - this.#policy.retentionMax;
      // Jobs end after they were made, so none after this one can be overdue.
      if (!mayFollow) return found;
      from = last.seq + 1;
    }
  }

  #firstDue(now: number): number {
    const [first] = this.#rows.oldest(0, 1);
    if (first === undefined) return Infinity;
    return Math.max(first.createdAt + this.#policy.retentionMs, now);
  }

  async #purge({ id }: KeptJob): Promise<boolean> {
    try {
      await this.#jobs.getByName(jobObjectName(this.#tenant, id)).purge();
      return true;
    } catch (error) {
      console.warn({ event: "job_not_purged", jobId: id, error: String(error) });
      return false;
    }
  }
}
