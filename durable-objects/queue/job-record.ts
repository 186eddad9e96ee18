import type { Callback, JobRun, JobState, JobSummary, RetryRequest } from "../../protocol/job.ts";
import type { Route } from "../../protocol/run-result.ts";
import type {
  Grant,
  JobIdentity,
  JobSubmission,
  QueuedLane,
  QueueEnd,
  RunSettlement,
} from "../job-contract.ts";
import { afterRun, type RetriesUsed } from "./retry.ts";
import { rankOf, type Waiting } from "./waiting-line.ts";

/** What a job was when it was submitted; never changes. Times are milliseconds since the epoch. */
export interface JobFacts {
  readonly id: string;
  readonly lane: QueuedLane;
  readonly route: Route;
  readonly priority: number;
  readonly rank: number;
  readonly createdAt: number;
  /** The job must have started by then. */
  readonly expiresAt: number | null;
  readonly retry: RetryRequest;
  readonly callback: Callback | null;
  readonly redriveOf: string | null;
  /** Its place when it was submitted. */
  readonly position: number;
}

type JobPhase =
  | {
      readonly state: "queued";
      readonly eligibleAt: number;
      /** Since when it waits for a slot; what executors turned away waits on since before. */
      readonly since: number;
    }
  | {
      readonly state: "running";
      readonly grant: Grant;
      /** As when it was queued. */
      readonly since: number;
      readonly cancelReason: string | null;
      /** Whether its Job is known to have the run. */
      readonly told: boolean;
    }
  | {
      readonly state: "done" | "cancelled" | "expired" | "dead";
      readonly endedAt: number;
      readonly reason: string | null;
      /** Whether its Job knows: it does at once where a run's settlement ended the job. */
      readonly told: boolean;
    };

/** A job as its tenant knows it, but for its spec. */
export interface JobRecord {
  /** Grows with each submission. */
  readonly seq: number;
  readonly facts: JobFacts;
  readonly phase: JobPhase;
  readonly startedAt: number | null;
  /** Of the run under way or, where there is none, the last. */
  readonly epoch: number | null;
  readonly runs: readonly JobRun[];
  readonly used: RetriesUsed;
}

export type QueuedJob = JobRecord & { readonly phase: Extract<JobPhase, { state: "queued" }> };
export type RunningJob = JobRecord & { readonly phase: Extract<JobPhase, { state: "running" }> };

export type OverJob = JobRecord & { readonly phase: Extract<JobPhase, { endedAt: number }> };

export const isOver = (job: JobRecord): job is OverJob => "endedAt" in job.phase;
export const isQueued = (job: JobRecord): job is QueuedJob => job.phase.state === "queued";
export const isRunning = (job: JobRecord): job is RunningJob => job.phase.state === "running";

/** Whether something of the job is still to be done: it waits, runs, or its Job is to be told of its end. */
export const isOpen = ({ phase }: JobRecord): boolean => !("endedAt" in phase) || !phase.told;

/** A job as it begins. */
export function newJob(
  submission: JobSubmission,
  place: { readonly seq: number; readonly position: number },
  now: number,
): QueuedJob {
  const { jobId, lane, route, priority, expiresAt, retry, callback, redriveOf } = submission;
  const eligibleAt = Math.max(now, submission.notBefore ?? now);
  return {
    seq: place.seq,
    facts: {
      id: jobId,
      lane,
      route,
      priority,
      rank: rankOf(eligibleAt, priority),
      createdAt: now,
      expiresAt,
      retry,
      callback,
      redriveOf,
      position: place.position,
    },
    phase: { state: "queued", eligibleAt, since: eligibleAt },
    startedAt: null,
    epoch: null,
    runs: [],
    used: { retries: 0, losses: 0 },
  };
}

export const waitingOf = ({ facts, seq, phase }: QueuedJob): Waiting => ({
  id: facts.id,
  rank: facts.rank,
  seq,
  eligibleAt: phase.eligibleAt,
});

/** The job with its next run under way. */
export function takenBy(job: QueuedJob, grant: Grant, now: number): RunningJob {
  const { epoch, executor } = grant;
  const run: JobRun = { runId: `${job.facts.id}.${epoch}`, executor: executor.name, outcome: null };
  return {
    ...job,
    phase: { state: "running", grant, since: job.phase.since, cancelReason: null, told: false },
    startedAt: job.startedAt ?? now,
    epoch,
    runs: [...job.runs, run],
  };
}

/** The job once the run that it has ended. */
export function afterSettlement(
  job: RunningJob,
  end: RunSettlement["end"],
  now: number,
  random: number,
): JobRecord {
  const { since, cancelReason } = job.phase;
  if (end.kind === "not_taken") {
    const runs = job.runs.slice(0, -1);
    const startedAt = runs.length === 0 ? null : job.startedAt;
    const phase: JobPhase =
      cancelReason === null
        ? { state: "queued", eligibleAt: now + end.retryAfterMs, since }
        : { state: "cancelled", endedAt: now, reason: cancelReason, told: true };
    return { ...job, phase, runs, startedAt };
  }
  const runs = job.runs.map((run, index) =>
    index === job.runs.length - 1 ? { ...run, outcome: end.outcome } : run,
  );
  const { facts, used } = job;
  const after = afterRun({ retry: facts.retry, used, cancelReason }, end, now, random);
  if (after.kind === "again") {
    const at = Math.round(after.at);
    return {
      ...job,
      phase: { state: "queued", eligibleAt: at, since: at },
      runs,
      used: after.used,
    };
  }
  const { state, reason } = after;
  return { ...job, phase: { state, endedAt: now, reason, told: true }, runs };
}

/** The job, over before a run could end it. */
export const endedInQueue = (
  job: QueuedJob,
  state: QueueEnd["state"],
  reason: string,
  now: number,
): JobRecord => ({ ...job, phase: { state, endedAt: now, reason, told: false } });

/** When a job's wait ends with `expired`. */
export function expiryOf({ facts, phase, startedAt }: QueuedJob, timeoutMs: number): number {
  const byTimeout = phase.since + timeoutMs;
  const mustStart = startedAt === null && facts.expiresAt !== null;
  return mustStart ? Math.min(byTimeout, facts.expiresAt) : byTimeout;
}

export const identityOf = ({ facts }: JobRecord, tenant: string): JobIdentity => ({
  tenant,
  jobId: facts.id,
  lane: facts.lane,
  createdAt: facts.createdAt,
  position: facts.position,
  callback: facts.callback,
});

/** A job as callers see it; `queue` is its place, set where it waits. */
export function summaryOf(
  { facts, phase, startedAt, runs }: JobRecord,
  queue: JobSummary["queue"],
): JobSummary {
  const over = "endedAt" in phase ? phase : undefined;
  return {
    id: facts.id,
    state: phase.state satisfies JobState,
    lane: facts.lane,
    route: facts.route,
    priority: facts.priority,
    createdAt: iso(facts.createdAt),
    startedAt: startedAt === null ? null : iso(startedAt),
    endedAt: over === undefined ? null : iso(over.endedAt),
    queue,
    runs: [...runs],
    reason: over?.reason ?? null,
    redriveOf: facts.redriveOf,
  };
}

export const iso = (at: number): string => new Date(at).toISOString();
