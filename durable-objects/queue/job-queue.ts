import type {
  Grant,
  JobSubmission,
  QueuedLane,
  RunSettlement,
  SettleAnswer,
  TakeAnswer,
} from "../job-contract.ts";
import {
  afterSettlement,
  endedInQueue,
  expiryOf,
  isOpen,
  isOver,
  isQueued,
  isRunning,
  type JobRecord,
  newJob,
  type RunningJob,
  takenBy,
  waitingOf,
} from "./job-record.ts";
import type { JobRows } from "./job-rows.ts";
import { WaitingLine } from "./waiting-line.ts";

/** What a job's Job object must be told. */
export type OwedMessage = "start" | "cancel" | "end";

/** How many more runs a tenant may have; Infinity is unlimited. */
export type Spare = number;

/** What a settlement changed. */
export interface Settled {
  readonly answer: SettleAnswer;
  /** The run that ended; absent where nothing changed or nothing had run. */
  readonly ran: JobRecord | undefined;
}

/**
 * A tenant's jobs that are not over, in memory beside their rows, and every change of them: each
 * one transaction, then memory. The rows are the outbox, too: what a Job must be told follows from
 * how its row stands, so nothing is owed that was not committed, and nothing committed is forgotten.
 */
export class JobQueue {
  readonly #rows: JobRows;
  readonly #timeoutMs: number;
  readonly #open = new Map<string, JobRecord>();
  readonly #lines = new Map<QueuedLane, WaitingLine>();
  readonly #running = new Map<QueuedLane, number>();
  /** Runs under way, by lane and epoch. */
  readonly #byEpoch = new Map<string, string>();
  readonly #takenEpochs: Map<QueuedLane, number>;
  readonly #owed = new Map<string, OwedMessage>();
  /** Jobs of which something became owed since it was asked last. */
  #unsent = new Set<string>();
  /** Running jobs whose Job knows that they are to end. */
  readonly #cancelTold = new Set<string>();
  /** Running jobs whose Job has them, which their rows do not say yet. */
  readonly #toldUnwritten = new Set<string>();
  #lastSeq: number;
  /** No wait ends before this. */
  #nextExpiry = Infinity;

  constructor(rows: JobRows, timeoutMs: number, now: number) {
    this.#rows = rows;
    this.#timeoutMs = timeoutMs;
    this.#takenEpochs = new Map(rows.takenEpochs());
    this.#lastSeq = rows.lastSeq();
    for (const job of rows.open()) this.#replace(undefined, job, now);
  }

  get lanes(): readonly QueuedLane[] {
    return [...new Set([...this.#lines.keys(), ...this.#running.keys()])];
  }

  get queued(): number {
    return this.#sum([...this.#lines.values()].map((line) => line.size));
  }

  get running(): number {
    return this.#sum([...this.#running.values()]);
  }

  queuedOn(lane: QueuedLane): number {
    return this.#lines.get(lane)?.size ?? 0;
  }

  runningOn(lane: QueuedLane): number {
    return this.#running.get(lane) ?? 0;
  }

  /** How many jobs of a lane could start at `now`, as far as the tenant may have more runs. */
  backlog(lane: QueuedLane, spare: Spare, now: number): number {
    return Math.min(this.#lines.get(lane)?.eligible(now) ?? 0, Math.max(0, spare));
  }

  get(id: string): JobRecord | undefined {
    return this.#open.get(id) ?? this.#rows.byId(id);
  }

  position(job: JobRecord, now: number): number {
    return this.#line(job.facts.lane).position({ rank: job.facts.rank, seq: job.seq }, now);
  }

  expiry(job: JobRecord): number | null {
    return isQueued(job) ? expiryOf(job, this.#timeoutMs) : null;
  }

  /** Commits new jobs together, with the idempotency keys that made them. */
  add(submissions: readonly JobSubmission[], now: number): readonly JobRecord[] {
    let ahead = 0;
    const jobs = submissions.map((submission) => {
      const seq = this.#lastSeq + ++ahead;
      const draft = newJob(submission, { seq, position: 1 }, now);
      // Those of the same request that come before it are in no line yet.
      const position = this.position(draft, now) + ahead - 1;
      return newJob(submission, { seq, position }, now);
    });
    this.#rows.transaction(() => {
      jobs.forEach((job, index) => {
        const submission = submissions[index];
        if (submission === undefined) return;
        this.#rows.insert(job, submission.spec);
        if (submission.idempotency === null) return;
        const { key, fingerprint } = submission.idempotency;
        const record = { fingerprint, jobId: job.facts.id, createdAt: now };
        this.#rows.saveIdempotency(key, record);
      });
    });
    this.#lastSeq += jobs.length;
    for (const job of jobs) this.#replace(undefined, job, now);
    return jobs;
  }

  /**
   * Gives each grant the job that is first, in one commit. A grant whose epoch has a run gets that
   * run's job again; one that is older than any answered gets none, as its answer was.
   */
  take(grants: readonly Grant[], spare: Spare, now: number): readonly TakeAnswer[] {
    const taken: RunningJob[] = [];
    const takenOn = new Map<QueuedLane, number>();
    const highest = new Map(this.#takenEpochs);
    const answers = grants.map((grant): TakeAnswer => {
      const { epoch, lane } = grant;
      const known = this.#byEpoch.get(epochKey(lane, epoch));
      if (known !== undefined) return { epoch, taken: { jobId: known } };
      if (epoch <= (highest.get(lane) ?? 0)) return { epoch, taken: null };
      highest.set(lane, epoch);
      const place = takenOn.get(lane) ?? 0;
      const next = taken.length < spare ? this.#line(lane).at(place, now) : undefined;
      const job = next && this.#open.get(next.id);
      if (job === undefined || !isQueued(job)) return { epoch, taken: null };
      const run = takenBy(job, grant, now);
      takenOn.set(lane, place + 1);
      taken.push(run);
      return { epoch, taken: { jobId: run.facts.id } };
    });
    this.#rows.transaction(() => {
      for (const job of taken) this.#rows.update(job);
      for (const [lane, epoch] of highest) {
        if (epoch !== this.#takenEpochs.get(lane)) this.#rows.saveTakenEpoch(lane, epoch);
      }
    });
    for (const [lane, epoch] of highest) this.#takenEpochs.set(lane, epoch);
    for (const job of taken) this.#replace(this.#open.get(job.facts.id), job, now);
    return answers;
  }

  /** Applies the end of the current run; another epoch's changes nothing. */
  settle({ jobId, epoch, end }: RunSettlement, now: number, random: number): Settled {
    const job = this.get(jobId);
    if (job === undefined || job.epoch !== epoch) {
      return { answer: { kind: "stale" }, ran: undefined };
    }
    if (!isRunning(job)) return { answer: settleAnswer(job), ran: undefined };
    const after = afterSettlement(job, end, now, random);
    this.#commit(after, now);
    return { answer: settleAnswer(after), ran: end.kind === "ended" ? after : undefined };
  }

  /** Ends a job that waits at once, and asks for the end of one that runs. */
  cancel(job: JobRecord, reason: string, now: number): JobRecord {
    if (isQueued(job)) return this.#commit(endedInQueue(job, "cancelled", reason, now), now);
    if (!isRunning(job) || job.phase.cancelReason !== null) return job;
    return this.#commit({ ...job, phase: { ...job.phase, cancelReason: reason } }, now);
  }

  /** Ends, in one commit, every wait that has lasted too long. */
  expire(now: number): readonly JobRecord[] {
    if (now < this.#nextExpiry) return [];
    this.#nextExpiry = Infinity;
    const expired: JobRecord[] = [];
    for (const job of this.#open.values()) {
      if (!isQueued(job)) continue;
      const expiry = expiryOf(job, this.#timeoutMs);
      if (expiry > now) {
        this.#nextExpiry = Math.min(this.#nextExpiry, expiry);
        continue;
      }
      expired.push(endedInQueue(job, "expired", expiryReason(job, this.#timeoutMs), now));
    }
    this.#commitAll(expired, now);
    return expired;
  }

  /** When something happens by itself; Infinity where nothing does. */
  nextDue(now: number): number {
    const eligible = [...this.#lines.values()].map((line) => line.nextEligibleAt(now));
    return Math.min(this.#nextExpiry, ...eligible);
  }

  /** Jobs whose Job object must be told something, with what. */
  owed(): ReadonlyMap<string, OwedMessage> {
    return this.#owed;
  }

  /** Jobs of which something became owed since the last call. */
  takeUnsent(): ReadonlySet<string> {
    const unsent = this.#unsent;
    if (unsent.size > 0) this.#unsent = new Set();
    return unsent;
  }

  /** Notes that a message arrived. What its row says changes later, or at once where it ends the job. */
  told(jobId: string, message: OwedMessage, epoch: number | null, now: number): void {
    const job = this.#open.get(jobId);
    if (job === undefined || job.epoch !== epoch) return;
    if (isRunning(job)) {
      if (message === "cancel") this.#cancelTold.add(jobId);
      if (message === "start") this.#toldUnwritten.add(jobId);
      const told = job.phase.told || message === "start";
      this.#replace(job, { ...job, phase: { ...job.phase, told } }, now);
    } else if (isOver(job) && message === "end") {
      this.#commit({ ...job, phase: { ...job.phase, told: true } }, now);
    }
  }

  /** A run's Job is to be told of it again: it says that it has no such run. */
  forgetTold(jobId: string, now: number): void {
    const job = this.#open.get(jobId);
    if (job === undefined || !isRunning(job)) return;
    this.#toldUnwritten.delete(jobId);
    this.#cancelTold.delete(jobId);
    this.#replace(job, { ...job, phase: { ...job.phase, told: false } }, now);
  }

  /** Writes which runs their Jobs have; short runs are over before this and cost no row. */
  writeTold(): void {
    this.#rows.transaction(() => {
      for (const id of this.#toldUnwritten) {
        const job = this.#open.get(id);
        if (job !== undefined) this.#rows.update(job);
      }
    });
    this.#toldUnwritten.clear();
  }

  get hasUnwritten(): boolean {
    return this.#toldUnwritten.size > 0;
  }

  #commit<J extends JobRecord>(after: J, now: number): J {
    this.#commitAll([after], now);
    return after;
  }

  #commitAll(jobs: readonly JobRecord[], now: number): void {
    const [first] = jobs;
    if (first === undefined) return;
    if (jobs.length === 1) {
      this.#rows.update(first);
    } else {
      this.#rows.transaction(() => {
        for (const job of jobs) this.#rows.update(job);
      });
    }
    for (const job of jobs) this.#replace(this.#open.get(job.facts.id), job, now);
  }

  /** The one place where memory follows a job from one state to the next. */
  #replace(before: JobRecord | undefined, after: JobRecord, now: number): void {
    const { id, lane } = after.facts;
    if (before !== undefined && isQueued(before)) this.#line(lane).remove(waitingOf(before));
    if (before !== undefined && isRunning(before)) {
      this.#running.set(lane, this.runningOn(lane) - 1);
      this.#byEpoch.delete(epochKey(lane, before.phase.grant.epoch));
    }
    if (isQueued(after)) {
      this.#line(lane).add(waitingOf(after), now);
      this.#nextExpiry = Math.min(this.#nextExpiry, expiryOf(after, this.#timeoutMs));
    }
    if (isRunning(after)) {
      this.#running.set(lane, this.runningOn(lane) + 1);
      this.#byEpoch.set(epochKey(lane, after.phase.grant.epoch), id);
    } else {
      this.#cancelTold.delete(id);
      this.#toldUnwritten.delete(id);
    }
    if (isOpen(after)) this.#open.set(id, after);
    else this.#open.delete(id);
    const owed = this.#messageFor(after);
    if (owed === undefined) {
      this.#owed.delete(id);
    } else {
      this.#owed.set(id, owed);
      this.#unsent.add(id);
    }
  }

  #messageFor(job: JobRecord): OwedMessage | undefined {
    if (isQueued(job)) return undefined;
    if (isOver(job)) return job.phase.told ? undefined : "end";
    if (!isRunning(job)) return undefined;
    if (!job.phase.told) return "start";
    const isCancelled = job.phase.cancelReason !== null;
    return isCancelled && !this.#cancelTold.has(job.facts.id) ? "cancel" : undefined;
  }

  #line(lane: QueuedLane): WaitingLine {
    const known = this.#lines.get(lane);
    if (known !== undefined) return known;
    const line = new WaitingLine();
    this.#lines.set(lane, line);
    return line;
  }

  #sum(counts: readonly number[]): number {
    return counts.reduce((sum, count) => sum + count, 0);
  }
}

const epochKey = (lane: QueuedLane, epoch: number): string => `${lane} ${epoch}`;

function settleAnswer({ phase }: JobRecord): SettleAnswer {
  if (phase.state === "queued") return { kind: "retry", notBefore: phase.eligibleAt };
  if (phase.state === "running") return { kind: "stale" };
  return { kind: "final", state: phase.state, reason: phase.reason };
}

function expiryReason(job: JobRecord, timeoutMs: number): string {
  const { expiresAt } = job.facts;
  const isOwn = isQueued(job) && expiresAt !== null && expiresAt < job.phase.since + timeoutMs;
  return isOwn && job.startedAt === null
    ? "it did not start by its expiresAt"
    : `it waited longer than ${timeoutMs} ms for a slot`;
}
