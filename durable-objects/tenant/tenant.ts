import { DurableObject } from "cloudflare:workers";

import { type Config, configOf, type RatePolicy } from "../../gateway/config.ts";
import type { AdmissionAnswer, AdmissionRequest, Settlement } from "../../protocol/admission.ts";
import type { Failure } from "../../protocol/failure.ts";
import type { JobExplanation, JobPage, JobSummary } from "../../protocol/job.ts";
import { fail, ok, type Result } from "../../protocol/result.ts";
import type {
  KeyInfo,
  Rate,
  Scope,
  TenantOverrides,
  TenantPolicy,
  Usage,
} from "../../protocol/tenant.ts";
import type {
  JobAnswer,
  JobFilter,
  JobSubmission,
  LaneOffer,
  QueuedLane,
  RedriveAnswer,
  RedriveRequest,
  RunSettlement,
  SettleAnswer,
  SubmitAnswer,
  SubmitRequest,
  TakeReply,
  TakeRequest,
  TenantOfJobs,
  TenantQueueView,
} from "../job-contract.ts";
import { jobObjectName, specKey } from "../job-contract.ts";
import { identityOf, isOver, isQueued, type JobRecord } from "../queue/job-record.ts";
import { TenantJobs, type TenantSide } from "../queue/tenant-jobs.ts";
import { decideAdmission, type Standing } from "./admission.ts";
import { Leases } from "./concurrency.ts";
import { dayOf } from "./quota.ts";
import { returnRate, UNUSED_TAT } from "./rate-limit.ts";
import { RecentIds } from "./recent-ids.ts";
import { type HeldKey, TenantKeys } from "./tenant-keys.ts";
import { TenantRows, USAGE_DAYS_KEPT } from "./tenant-rows.ts";
import { UsageLedger } from "./usage-ledger.ts";

/** Use is written this long after it is counted: well before an idle object leaves memory. */
const FLUSH_AFTER_MS = 5_000;

/** A settlement that is repeated within so many others counts once. */
const SETTLED_REMEMBERED = 4_096;

/** Tickets live for a minute; one that is used twice within so many others works once. */
const TICKETS_REMEMBERED = 4_096;

/** When to submit again where nobody can know when a job that waits will start. */
const QUEUE_RETRY_MS = 1_000;

const DAY_MS = 24 * 60 * 60 * 1000;

/** A tenant as its owner and its operator see it. */
export interface TenantOverview {
  readonly policy: TenantPolicy;
  readonly usage: readonly Usage[];
  readonly underWay: number;
  readonly reports: Extract<AdmissionAnswer, { kind: "refused" }>["reports"];
}

/**
 * Who a tenant is and what it may use now. One per tenant, addressed by its id.
 *
 * Rate limits and leases live in memory; keys, revocations and overrides are written before they
 * are answered; use is counted in memory and written in batches, so no run costs a row.
 */
export class Tenant extends DurableObject<Env> implements TenantOfJobs {
  readonly #config: Config;
  /** The tenant's id. */
  readonly #name: string;
  readonly #rows: TenantRows;
  readonly #keys: TenantKeys;
  readonly #jobs: TenantJobs;
  readonly #usage: UsageLedger;
  readonly #leases = new Leases();
  readonly #settled = new RecentIds(SETTLED_REMEMBERED);
  readonly #tickets = new RecentIds(TICKETS_REMEMBERED);
  #policy: TenantPolicy;
  #tat = UNUSED_TAT;
  /** As set in this life of the object. */
  #alarmAt = Infinity;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#config = configOf(env);
    this.#name = ctx.id.name ?? "";
    this.#rows = new TenantRows(ctx.storage);
    this.#keys = new TenantKeys(this.#rows);
    this.#policy = this.#rows.policy();
    this.#usage = new UsageLedger(this.#rows.usageSince(dayOf(Date.now())));
    this.#jobs = new TenantJobs(this.#side(env));
  }

  /**
   * Lets one request in, or says why not. Safe to repeat: a run that holds its place is let in
   * again and charged no more.
   */
  admit(request: AdmissionRequest): AdmissionAnswer {
    const now = Date.now();
    this.settle(request.settlements);
    const refusal = this.#keys.failure(request.keyId, request.scope, now);
    if (refusal !== undefined) return { kind: "refused", failure: refusal, reports: [] };
    if (request.policyVersion !== this.#policy.version) {
      return { kind: "policy_changed", policy: this.#policy };
    }

    const { runId, lane, mode } = request;
    const isRepeat = this.#leases.has(runId);
    const key = this.#keys.get(request.keyId);
    const cost = this.#config.laneWeights[lane];
    const verdict = decideAdmission(this.#standing(key, now), cost, now, isRepeat ? "look" : mode);
    if (isRepeat) return { kind: "admitted", reports: verdict.reports };
    this.#tat = verdict.tenantTat;
    if (key !== undefined && verdict.keyTat !== undefined) key.tat = verdict.keyTat;
    if (verdict.failure !== undefined) {
      return { kind: "refused", failure: verdict.failure, reports: verdict.reports };
    }
    if (mode === "take") {
      this.#leases.hold(runId, now + request.leaseMs);
      this.#count(lane, { runs: 1, cpuMs: 0, wallMs: 0 }, now);
    }
    return { kind: "admitted", reports: verdict.reports };
  }

  /** Ends runs: frees their places and counts what they used. Safe to repeat. */
  settle(settlements: readonly Settlement[]): void {
    const now = Date.now();
    for (const settlement of settlements) {
      const { runId, lane, cpuMs, wallMs, refunded } = settlement;
      if (!this.#settled.add(runId)) continue;
      const held = this.#leases.release(runId);
      if (!refunded) this.#count(lane, { runs: 0, cpuMs, wallMs }, now);
      else if (held) this.#refund(settlement, now);
    }
    // Places came free, and a job may have waited for one.
    if (settlements.length > 0 && this.#jobs.queued > 0) this.#jobs.wake(now);
  }

  /** Whether a caller may do what `scope` names, and the tenant's overrides if so. */
  authorize(keyId: string | null, scope: Scope): Result<TenantPolicy> {
    const refusal = this.#keys.failure(keyId, scope, Date.now());
    return refusal === undefined ? ok(this.#policy) : fail(refusal);
  }

  /** The tenant as it stands, with its use since `day` (as `2026-11-22`). */
  overview(keyId: string | null, day: string): TenantOverview {
    const now = Date.now();
    this.#flush(now);
    const key = this.#keys.get(keyId);
    const { reports } = decideAdmission(this.#standing(key, now), 0, now, "look");
    return {
      policy: this.#policy,
      usage: this.#rows.usageSince(day),
      underWay: this.#leases.held(now) + this.#jobs.running,
      reports,
    };
  }

  /** Makes a key known. The tenant exists from its first key on. */
  addKey(info: KeyInfo): Result<null> {
    return this.#keys.add(info);
  }

  /** Ends a key for good. Revoking it again changes nothing. */
  revokeKey(keyId: string, revokedAt: string): Result<KeyInfo> {
    return this.#keys.revoke(keyId, revokedAt);
  }

  keys(): readonly KeyInfo[] {
    return this.#keys.list();
  }

  policy(): TenantPolicy {
    return this.#policy;
  }

  /** Takes in a ticket of the gateway's, or false where it was taken in before. */
  useTicket(ticketId: string): boolean {
    return this.#tickets.add(ticketId);
  }

  /** Replaces the overrides; none is written as such, so that the version goes on growing. */
  setOverrides(overrides: TenantOverrides): TenantPolicy {
    const policy = { version: this.#policy.version + 1, overrides };
    this.#rows.savePolicy(policy);
    this.#policy = policy;
    // More may run at once now, or with another weight.
    if (this.#jobs.queued > 0) this.#jobs.wake(Date.now());
    return policy;
  }

  /** Lets jobs in, each by itself, and commits those that are new together. Safe to repeat. */
  submitJobs({ keyId, policyVersion, jobs }: SubmitRequest): SubmitAnswer {
    const now = Date.now();
    const refusal = this.#keys.failure(keyId, "run", now);
    if (refusal !== undefined) return { kind: "refused", failure: refusal, reports: [] };
    if (policyVersion !== this.#policy.version) {
      return { kind: "policy_changed", policy: this.#policy };
    }
    const key = this.#keys.get(keyId);
    const admitted: JobSubmission[] = [];
    const answers = jobs.map((job): JobAnswer | JobSubmission => {
      const replayed = this.#jobs.replay(job, now);
      if (replayed !== undefined) return replayed;
      const failure = this.#admitJob(job, key, admitted.length, now);
      if (failure !== undefined) return { kind: "refused", failure };
      admitted.push(job);
      return job;
    });
    const summaries = this.#jobs.accept(admitted, now);
    let next = 0;
    return {
      kind: "answered",
      answers: answers.map((answer): JobAnswer => {
        if ("kind" in answer) return answer;
        const job = summaries[next++];
        if (job === undefined) return { kind: "refused", failure: { code: "internal" } };
        return { kind: "accepted", job, replayed: false };
      }),
      reports: decideAdmission(this.#standing(key, now), 0, now, "look").reports,
    };
  }

  /** Null is a job that is not the tenant's, or no more; so it is below. */
  job(jobId: string): JobSummary | null {
    const job = this.#jobs.find(jobId);
    return job === undefined ? null : this.#jobs.summary(job, Date.now());
  }

  /** Tells a job that waits of itself, so that who follows it is told `queued`. Safe to repeat. */
  async introduceJob(jobId: string): Promise<void> {
    const job = this.#jobs.find(jobId);
    if (job === undefined || !isQueued(job)) return;
    const stub = this.env.JOB.getByName(jobObjectName(this.#name, jobId));
    await stub.introduce(identityOf(job, this.#name));
  }

  /** A page of jobs, the newest first. A page may hold fewer than asked for and yet have a next. */
  jobs(filter: JobFilter): JobPage {
    return this.#jobs.page(filter, Date.now());
  }

  /** Ends a job that waits, or asks for the end of one that runs. One that is over stays as it is. */
  cancelJob(jobId: string, reason: string): JobSummary | null {
    const now = Date.now();
    const job = this.#jobs.find(jobId);
    if (job === undefined) return null;
    return this.#jobs.summary(this.#jobs.cancel(job, reason, now), now);
  }

  /** Makes a new job of one that is over. Safe to repeat with the same new id. */
  redriveJob(request: RedriveRequest): RedriveAnswer | null {
    const { keyId, policyVersion, jobId, newJobId, specCopied } = request;
    const job = this.#jobs.find(jobId);
    if (job === undefined) return null;
    if (!isOver(job)) {
      const failure = { code: "conflict", reason: `job "${jobId}" is not over` } as const;
      return { kind: "refused", failure, reports: [] };
    }
    let spec = this.#jobs.spec(job);
    if (spec === undefined) throw new Error(`Cannot find the spec of job "${jobId}"`);
    if (spec.kind === "r2") {
      const to = specKey(this.#name, newJobId);
      if (!specCopied) return { kind: "copy_spec", from: spec.key, to };
      spec = { kind: "r2", key: to };
    }
    const { lane, route, priority, retry, callback } = job.facts;
    const again = { jobId: newJobId, lane, route, priority, retry, callback, spec };
    const fresh = { notBefore: null, expiresAt: null, redriveOf: jobId, idempotency: null };
    return this.submitJobs({ keyId, policyVersion, jobs: [{ ...again, ...fresh }] });
  }

  /** How many jobs wait and run, by lane. Not `queue`: the runtime keeps that name for itself. */
  queueView(): TenantQueueView {
    const most = this.#maxConcurrent();
    return { lanes: this.#jobs.byLane(), maxConcurrency: most === 0 ? null : most };
  }

  async explainJob(jobId: string): Promise<JobExplanation | null> {
    const job = this.#jobs.find(jobId);
    return job === undefined ? null : this.#jobs.explain(job, Date.now());
  }

  /** A Lane's grants: each takes a job, in one commit, or comes back. Safe to repeat. */
  take(request: TakeRequest): TakeReply {
    return this.#jobs.take(request, Date.now());
  }

  /** What the tenant wants of a lane now; sends all that is owed, too. */
  offer(lane: QueuedLane): LaneOffer {
    return this.#jobs.offer(lane, Date.now());
  }

  /** A Lane hears nothing of a run, and its Job has no such run: tells the Job again. */
  remind(jobId: string): void {
    this.#jobs.remind(jobId, Date.now());
  }

  /** The end of a run, told by its Job. The same settlement always gets the same answer. */
  settleJob(settlement: RunSettlement): SettleAnswer {
    const now = Date.now();
    const { answer, ran } = this.#jobs.settle(settlement, now);
    if (ran !== undefined && settlement.end.kind === "ended") {
      const { cpuMs, wallMs } = settlement.end;
      this.#count(ran.facts.lane, { runs: 0, cpuMs, wallMs }, now);
    }
    return answer;
  }

  /** Writes the use counted since the last time, and sees to the queue. Safe to repeat. */
  override async alarm(): Promise<void> {
    const now = Date.now();
    this.#alarmAt = Infinity;
    this.#flush(now);
    try {
      await this.#jobs.tick(now);
    } catch (error) {
      // An alarm that throws is repeated six times and then never again; this one always returns.
      console.error({ event: "alarm_failed", tenant: this.#name, error });
    }
    this.#arm(now);
  }

  /** Why a job is not let in; undefined, and charged, where it is. It needs no place: it waits for one. */
  #admitJob(
    { lane }: JobSubmission,
    key: HeldKey | undefined,
    admittedBefore: number,
    now: number,
  ): Failure | undefined {
    const limit = this.#config.queue.maxPerTenant;
    if (this.#jobs.queued + admittedBefore >= limit) {
      return { code: "queue_full", limit, retryAfterMs: QUEUE_RETRY_MS };
    }
    const standing = { ...this.#standing(key, now), maxConcurrent: 0 };
    const verdict = decideAdmission(standing, this.#config.laneWeights[lane], now, "take");
    this.#tat = verdict.tenantTat;
    if (key !== undefined && verdict.keyTat !== undefined) key.tat = verdict.keyTat;
    if (verdict.failure === undefined) this.#count(lane, { runs: 1, cpuMs: 0, wallMs: 0 }, now);
    return verdict.failure;
  }

  /** 0 is unlimited. */
  #maxConcurrent(): number {
    return this.#policy.overrides.maxConcurrent ?? this.#config.tenantMaxConcurrent;
  }

  #side(env: Env): TenantSide {
    return {
      tenant: this.#name,
      storage: this.ctx.storage,
      env,
      config: this.#config,
      standing: (now) => ({
        maxConcurrent: this.#maxConcurrent() || Infinity,
        runsHeld: this.#leases.held(now),
        weight: this.#policy.overrides.weight ?? 1,
      }),
      ended: (jobs, now) => this.#refundUnrun(jobs, now),
      waitUntil: (work) => this.ctx.waitUntil(work),
      arm: (now) => this.#arm(now),
    };
  }

  /** A job that never ran is no run of the day's quota. */
  #refundUnrun(jobs: readonly JobRecord[], now: number): void {
    for (const { facts, runs } of jobs) {
      if (runs.length === 0) this.#count(facts.lane, { runs: -1, cpuMs: 0, wallMs: 0 }, now);
    }
  }

  /** Sees that the alarm is not later than what is due first. */
  #arm(now: number): void {
    const due = this.#jobs.nextDue(now);
    if (due >= this.#alarmAt) return;
    this.#alarmAt = due;
    this.ctx.waitUntil(this.ctx.storage.setAlarm(due));
  }

  #standing(key: HeldKey | undefined, now: number): Standing {
    const { overrides } = this.#policy;
    const rate = key?.info.rate ?? null;
    const { runsPerDay, cpuMsPerDay } = this.#config.quota;
    const own = overrides.quota;
    return {
      key: key === undefined || rate === null ? undefined : { tat: key.tat, policy: rate },
      tenant: { tat: this.#tat, policy: this.#ratePolicy() },
      held: this.#leases.held(now) + this.#jobs.running,
      maxConcurrent: this.#maxConcurrent(),
      used: this.#usage.usedOn(dayOf(now)),
      quota: {
        runsPerDay: overridden(own?.runsPerDay, runsPerDay),
        cpuMsPerDay: overridden(own?.cpuMsPerDay, cpuMsPerDay),
      },
    };
  }

  #ratePolicy(): RatePolicy | Rate {
    return this.#policy.overrides.rateLimit ?? this.#config.rateLimit;
  }

  #refund({ lane, keyId }: Settlement, now: number): void {
    const cost = this.#config.laneWeights[lane];
    this.#count(lane, { runs: -1, cpuMs: 0, wallMs: 0 }, now);
    this.#tat = returnRate(this.#tat, this.#ratePolicy(), cost);
    const key = this.#keys.get(keyId);
    const rate = key?.info.rate ?? null;
    if (key !== undefined && rate !== null) key.tat = returnRate(key.tat, rate, cost);
  }

  #count(lane: Settlement["lane"], change: Parameters<UsageLedger["add"]>[2], now: number): void {
    this.#usage.add(dayOf(now), lane, change);
    if (now + FLUSH_AFTER_MS >= this.#alarmAt) return;
    this.#alarmAt = now + FLUSH_AFTER_MS;
    // Nobody waits for the alarm's own row: if it is lost, so is the use that it was for.
    const set = this.ctx.storage.setAlarm(this.#alarmAt, { allowUnconfirmed: true });
    this.ctx.waitUntil(set);
  }

  #flush(now: number): void {
    const totals = this.#usage.unwritten();
    if (totals.length === 0) return;
    this.#rows.saveUsage(totals, dayOf(now - USAGE_DAYS_KEPT * DAY_MS));
    this.#usage.markWritten(totals, dayOf(now));
  }
}

/** Null is unlimited, undefined is the variable's. */
const overridden = (
  own: number | null | undefined,
  configured: number | undefined,
): number | undefined => (own === undefined ? configured : (own ?? undefined));
