import type { Config } from "../../gateway/config.ts";
import type { JobExplanation, JobPage, JobSummary } from "../../protocol/job.ts";
import { Deliveries } from "../deliveries.ts";
import type {
  JobAnswer,
  JobFilter,
  JobSubmission,
  LaneState,
  QueuedLane,
  RunSettlement,
  SpecPlace,
  TakeReply,
  TakeRequest,
  TenantQueue,
} from "../job-contract.ts";
import { estimateWaitMs } from "./estimate.ts";
import { explain } from "./explain.ts";
import { JobMessages } from "./job-messages.ts";
import { JobQueue, type Settled } from "./job-queue.ts";
import { iso, isQueued, type JobRecord, summaryOf } from "./job-record.ts";
import { JobRows } from "./job-rows.ts";
import { LaneOffers, type Wanted } from "./lane-offers.ts";
import { IDEMPOTENCY_MS, Retention } from "./retention.ts";

/** What a tenant may have now. */
interface TenantStanding {
  /** Infinity is unlimited. */
  readonly maxConcurrent: number;
  /** Runs under way that are no jobs. */
  readonly runsHeld: number;
  readonly weight: number;
}

/** What its object gives a tenant's queue. */
export interface TenantSide {
  readonly tenant: string;
  readonly storage: DurableObjectStorage;
  readonly env: Pick<Env, "JOB" | "LANE">;
  readonly config: Pick<Config, "queue">;
  standing(now: number): TenantStanding;
  /** Jobs ended in the queue. */
  ended(jobs: readonly JobRecord[], now: number): void;
  /** Keeps the object until `work` is done. */
  waitUntil(work: Promise<unknown>): void;
  /** Something may be due earlier than before. */
  arm(now: number): void;
}

/** Longest time that runs which their Jobs have are noted in memory alone. */
const WRITE_TOLD_MS = 5_000;

/** How often jobs that wait for other runs' leases look whether one has ended. */
const LEASES_LOOK_MS = 1_000;

/**
 * A tenant's queue with all that it tells others: jobs to Lanes, runs and ends to Jobs. Whatever
 * changes is committed first, told at once, and told again by the alarm until it arrives.
 */
export class TenantJobs {
  readonly #side: TenantSide;
  readonly #rows: JobRows;
  readonly #queue: JobQueue;
  readonly #messages: JobMessages;
  readonly #offers: LaneOffers;
  readonly #offering = new Deliveries();
  readonly #retention: Retention;

  constructor(side: TenantSide) {
    const { tenant, storage, env, config } = side;
    this.#side = side;
    this.#rows = new JobRows(storage);
    this.#queue = new JobQueue(this.#rows, config.queue.timeoutMs, Date.now());
    this.#messages = new JobMessages(this.#queue, this.#rows, tenant, env.JOB);
    this.#offers = new LaneOffers(tenant);
    this.#retention = new Retention(this.#rows, config.queue, tenant, env.JOB);
  }

  get queued(): number {
    return this.#queue.queued;
  }

  get running(): number {
    return this.#queue.running;
  }

  /** The answer to a submission that came before; undefined for a new one. */
  replay({ jobId, idempotency }: JobSubmission, now: number): JobAnswer | undefined {
    const earlier = idempotency === null ? undefined : this.#rows.idempotency(idempotency.key);
    if (earlier === undefined || earlier.createdAt + IDEMPOTENCY_MS <= now) {
      // Without a key, too, the same job is never made twice: its sender may have lost the answer.
      const job = this.#queue.get(jobId);
      return job && { kind: "accepted", job: this.summary(job, now), replayed: false };
    }
    if (earlier.fingerprint !== idempotency?.fingerprint) {
      return { kind: "refused", failure: { code: "idempotency_conflict" } };
    }
    const job = this.#queue.get(earlier.jobId);
    if (job === undefined) {
      return { kind: "refused", failure: { code: "gone", what: `job "${earlier.jobId}"` } };
    }
    return { kind: "accepted", job: this.summary(job, now), replayed: true };
  }

  /** Commits jobs that were let in. */
  accept(submissions: readonly JobSubmission[], now: number): readonly JobSummary[] {
    if (submissions.length === 0) return [];
    const jobs = this.#queue.add(submissions, now);
    this.#retention.added(now);
    this.wake(now);
    return jobs.map((job) => this.summary(job, now));
  }

  find(jobId: string): JobRecord | undefined {
    return this.#queue.get(jobId);
  }

  spec(job: JobRecord): SpecPlace | undefined {
    return this.#rows.spec(job.seq);
  }

  page({ cursor, ...filter }: JobFilter, now: number): JobPage {
    const before = cursor === null ? Number.MAX_SAFE_INTEGER : Number(cursor);
    const { jobs, next } = this.#rows.page(filter, before);
    return {
      jobs: jobs.map((job) => this.summary(this.#queue.get(job.facts.id) ?? job, now)),
      nextCursor: next === null ? null : String(next),
    };
  }

  byLane(): TenantQueue {
    return Object.fromEntries(
      this.#queue.lanes.map((lane) => [
        lane,
        { running: this.#queue.runningOn(lane), queued: this.#queue.queuedOn(lane) },
      ]),
    );
  }

  take({ lane, grants, view }: TakeRequest, now: number): TakeReply {
    this.#expire(now);
    this.#offers.see(lane, view);
    const answers = this.#queue.take(grants, this.#spare(now), now);
    const offer = this.#offers.make(lane, this.#wanted(lane, now), now);
    this.wake(now);
    return { answers, offer };
  }

  /** The offer that holds now, told as an answer; for a lane that lost what it knew. */
  offer(lane: QueuedLane, now: number): TakeReply["offer"] {
    this.#expire(now);
    const offer = this.#offers.make(lane, this.#wanted(lane, now), now);
    this.wake(now);
    return offer;
  }

  settle(settlement: RunSettlement, now: number): Settled {
    const settled = this.#queue.settle(settlement, now, Math.random());
    this.wake(now);
    return settled;
  }

  cancel(job: JobRecord, reason: string, now: number): JobRecord {
    const after = this.#queue.cancel(job, reason, now);
    if (isQueued(job)) this.#side.ended([after], now);
    this.wake(now);
    return after;
  }

  /** Tells a run's Job of it again, and all else that is owed. */
  remind(jobId: string, now: number): void {
    this.#queue.forgetTold(jobId, now);
    this.wake(now);
  }

  summary(job: JobRecord, now: number): JobSummary {
    return summaryOf(job, this.#place(job, now));
  }

  async explain(job: JobRecord, now: number): Promise<JobExplanation> {
    const { maxConcurrent, runsHeld } = this.#side.standing(now);
    const facts = {
      job,
      summary: this.summary(job, now),
      tenant: {
        running: this.#queue.running + runsHeld,
        queued: this.#queue.queued,
        maxConcurrency: orNull(maxConcurrent),
      },
      expiresAt: this.#queue.expiry(job),
    };
    const lane = await this.#laneState(job.facts.lane);
    return explain({ ...facts, lane }, now);
  }

  /** Does what is due and sends what is owed; whatever fails is due again. */
  wake(now: number): void {
    this.#expire(now);
    for (const sent of this.#messages.sendNew(now)) this.#follow(sent);
    for (const lane of this.#queue.lanes) this.#offer(lane, now);
    this.#side.arm(now);
  }

  /** The alarm's part: as `wake`, with what can wait for it. */
  async tick(now: number): Promise<void> {
    if (this.#queue.hasUnwritten) this.#queue.writeTold();
    this.#expire(now);
    for (const sent of this.#messages.sendDue(now)) this.#follow(sent);
    this.wake(now);
    await this.#retention.step(now);
  }

  /** When `tick` is to be called; Infinity where nothing is to be done. */
  nextDue(now: number): number {
    let due = Math.min(
      this.#queue.nextDue(now),
      this.#messages.nextDue(now),
      this.#retention.nextDue(now),
    );
    // Runs that are no jobs free their places without a word when their leases end.
    const isHeldUp = this.#queue.queued > 0 && this.#spare(now) <= 0;
    if (isHeldUp && this.#side.standing(now).runsHeld > 0)
      due = Math.min(due, now + LEASES_LOOK_MS);
    if (this.#queue.hasUnwritten) due = Math.min(due, now + WRITE_TOLD_MS);
    for (const lane of this.#queue.lanes) {
      // On its way is not there: an object that dies now must tell it again.
      const isOwed =
        this.#offering.isUnderWay(lane) || this.#offers.isDue(lane, this.#wanted(lane, now));
      if (isOwed) due = Math.min(due, this.#offering.dueAt(lane, now));
    }
    return due;
  }

  #expire(now: number): void {
    const expired = this.#queue.expire(now);
    if (expired.length > 0) this.#side.ended(expired, now);
  }

  #offer(lane: QueuedLane, now: number): void {
    const wanted = this.#wanted(lane, now);
    if (!this.#offers.isDue(lane, wanted) || !this.#offering.isReady(lane, now)) return;
    const offer = this.#offers.make(lane, wanted, now);
    const sent = this.#offering.send(lane, () => this.#side.env.LANE.getByName(lane).offer(offer));
    this.#follow(
      sent.then((answer) => {
        if (answer === undefined) this.#offers.forget(lane);
        else this.#offers.answered(lane, answer);
        return answer !== undefined;
      }),
    );
  }

  /** Once a message arrived, another may be owed; where it did not, the alarm sees to it. */
  #follow(sent: Promise<boolean>): void {
    this.#side.waitUntil(
      sent.then((arrived) => {
        if (arrived) this.wake(Date.now());
        else this.#side.arm(Date.now());
      }),
    );
  }

  #wanted(lane: QueuedLane, now: number): Wanted {
    const { weight } = this.#side.standing(now);
    const backlog = this.#queue.backlog(lane, this.#spare(now), now);
    return { backlog, weight, waits: this.#queue.queuedOn(lane) > 0 };
  }

  #spare(now: number): number {
    const { maxConcurrent, runsHeld } = this.#side.standing(now);
    return maxConcurrent - runsHeld - this.#queue.running;
  }

  #place(job: JobRecord, now: number): JobSummary["queue"] {
    if (!isQueued(job)) return null;
    const { maxConcurrent, runsHeld } = this.#side.standing(now);
    const position = this.#queue.position(job, now);
    const running = this.#queue.running + runsHeld;
    const untilEligibleMs = Math.max(0, job.phase.eligibleAt - now);
    const facts = { position, running, maxConcurrent, untilEligibleMs };
    return {
      position,
      running,
      maxConcurrency: orNull(maxConcurrent),
      estimatedWaitMs: estimateWaitMs(facts, this.#offers.view(job.facts.lane)),
      notBefore: untilEligibleMs > 0 ? iso(job.phase.eligibleAt) : null,
    };
  }

  async #laneState(lane: QueuedLane): Promise<LaneState | null> {
    try {
      return await this.#side.env.LANE.getByName(lane).state();
    } catch (error) {
      console.warn({ event: "lane_unreachable", lane, error: String(error) });
      return null;
    }
  }
}

const orNull = (limit: number): number | null => (limit === Infinity ? null : limit);
