import type { LimitReport } from "../protocol/admission.ts";
import type { ContainerOrder, ContainerStats, OrderFile } from "../protocol/container-api.ts";
import type { Failure } from "../protocol/failure.ts";
import type {
  Callback,
  CallbackEvent,
  JobState,
  JobSummary,
  RetryRequest,
} from "../protocol/job.ts";
import type { Certainty, Lane, Outcome } from "../protocol/outcome.ts";
import type { AppliedLimit, Route, RunResult } from "../protocol/run-result.ts";
import type { RunOrder, RunWork } from "../protocol/sandbox-api.ts";
import type { TenantPolicy } from "../protocol/tenant.ts";

/**
 * What the gateway, `Tenant`, `Lane` and `Job` say to each other about a job.
 *
 * A job's way: the gateway submits it to its Tenant, which commits it and offers its backlog to
 * the Lane; the Lane commits a grant and lets the Tenant take it; the Tenant commits which job has
 * it and starts that Job; the Job runs it at the executor, keeps its events and settles with the
 * Tenant, then with the Lane. Each step is one commit and safe to repeat; what carries another
 * epoch than the current one changes nothing.
 */

/** Lanes that have a queue. */
export const QUEUED_LANES = ["container", "isolate"] as const satisfies readonly Lane[];
export type QueuedLane = (typeof QUEUED_LANES)[number];

/** A file as submitted: bytes, or what an earlier job of the same tenant left. */
export type SpecFile =
  | OrderFile
  | {
      readonly path: string;
      readonly mode: number | null;
      readonly artifact: { readonly job: string; readonly path: string };
    };

/** What a job does, as the gateway decided it at submission. Kept as JSON text. */
export type JobWork =
  | {
      readonly lane: "container";
      readonly order: Omit<ContainerOrder, "runId" | "files">;
      readonly files: readonly SpecFile[];
    }
  | {
      readonly lane: "isolate";
      readonly order: Omit<RunOrder, "runId" | "stream">;
      readonly work: RunWork;
    };

export interface JobSpec {
  readonly work: JobWork;
  readonly route: Route;
  readonly limits: Readonly<Record<string, AppliedLimit>>;
  /** Whether anything outside (network, artifacts) was granted to it. */
  readonly reachesOutside: boolean;
}

/** Where a `JobSpec`'s text is: with the Tenant where it is small, else in R2. */
export type SpecPlace =
  | { readonly kind: "inline"; readonly text: string }
  | { readonly kind: "r2"; readonly key: string };

/** The largest spec that a Tenant keeps itself; bytes. */
export const INLINE_SPEC_BYTES = 3_072;

/** Keys of a tenant's objects in R2. */
export const specKey = (tenant: string, jobId: string): string => `t/${tenant}/j/${jobId}/spec`;
export const artifactKey = (tenant: string, jobId: string, path: string): string =>
  `t/${tenant}/j/${jobId}/a/${path}`;
/** Values of events and results that are too long for a row. */
export const valueKey = (tenant: string, jobId: string, name: string): string =>
  `t/${tenant}/j/${jobId}/v/${name}`;
export const jobPrefix = (tenant: string, jobId: string): string => `t/${tenant}/j/${jobId}/`;

/** The name of a job's Durable Object. The tenant comes from the key, so no other finds it. */
export const jobObjectName = (tenant: string, jobId: string): string => `${tenant}/${jobId}`;

// -- gateway -> Tenant

export interface JobSubmission {
  readonly jobId: string;
  readonly lane: QueuedLane;
  readonly route: Route;
  readonly priority: number;
  readonly notBefore: number | null;
  readonly expiresAt: number | null;
  readonly retry: RetryRequest;
  readonly callback: Callback | null;
  readonly spec: SpecPlace;
  readonly redriveOf: string | null;
  readonly idempotency: Idempotency | null;
}

/** A client's `Idempotency-Key` and what the request was, to tell a repeat from another request. */
export interface Idempotency {
  /** The client's, behind the method and path that it was sent to: keys of two routes never meet. */
  readonly key: string;
  /** SHA-256 over method, path, query and canonical body; lower-case hex. */
  readonly fingerprint: string;
}

export interface SubmitRequest {
  readonly keyId: string | null;
  /** The version of the overrides that the jobs were planned with. */
  readonly policyVersion: number;
  /** Each is accepted or refused by itself; those accepted are committed together. */
  readonly jobs: readonly JobSubmission[];
}

export type SubmitAnswer =
  | {
      readonly kind: "answered";
      readonly answers: readonly JobAnswer[];
      readonly reports: readonly LimitReport[];
    }
  | {
      readonly kind: "refused";
      readonly failure: Failure;
      readonly reports: readonly LimitReport[];
    }
  | { readonly kind: "policy_changed"; readonly policy: TenantPolicy };

export type JobAnswer =
  /** `replayed`: an earlier request with the same idempotency key made it. */
  | { readonly kind: "accepted"; readonly job: JobSummary; readonly replayed: boolean }
  | { readonly kind: "refused"; readonly failure: Failure };

export interface JobFilter {
  readonly state: JobState | null;
  readonly lane: Lane | null;
  readonly cursor: string | null;
  readonly limit: number;
}

/** A tenant's own part of the queue, by lane. */
export type TenantQueue = Readonly<
  Record<string, { readonly running: number; readonly queued: number }>
>;

export interface TenantQueueView {
  readonly lanes: TenantQueue;
  /** null is unlimited. */
  readonly maxConcurrency: number | null;
}

/** Runs a job that is over again, as a new one. */
export interface RedriveRequest {
  readonly keyId: string | null;
  readonly policyVersion: number;
  readonly jobId: string;
  readonly newJobId: string;
  /** The spec was copied as `copy_spec` asked. */
  readonly specCopied: boolean;
}

export type RedriveAnswer =
  | SubmitAnswer
  /** The spec is in R2 and goes when its job does: copy it, then ask again. Nothing changed. */
  | { readonly kind: "copy_spec"; readonly from: string; readonly to: string };

// -- Tenant <-> Lane

/** How much a tenant wants of a lane now. The highest version counts. */
export interface LaneOffer {
  readonly tenant: string;
  readonly version: number;
  /** Jobs that could start at once. */
  readonly backlog: number;
  /** Its share beside other tenants'. */
  readonly weight: number;
  /** Whether jobs wait that cannot start yet: the sweep is to know this tenant. */
  readonly waits: boolean;
}

/** What a lane looks like to one that waits there; told with every answer. */
export interface LaneView {
  readonly slotsTaken: number;
  /** null is unlimited. */
  readonly slots: number | null;
  /** Tenants that have work there. */
  readonly tenants: number;
  readonly usualMs: number | null;
}

export interface OfferAnswer {
  /** The version that counts now: a tenant whose own is lower offers again above it. */
  readonly version: number;
  readonly view: LaneView;
}

export interface TakeRequest {
  readonly lane: QueuedLane;
  readonly grants: readonly Grant[];
  readonly view: LaneView;
}

export interface TakeReply {
  readonly answers: readonly TakeAnswer[];
  /** What the tenant wants once these are taken. */
  readonly offer: LaneOffer;
}

/** A permission to start one run at one executor. */
export interface Grant {
  /** Grows with every grant of the lane. */
  readonly epoch: number;
  readonly lane: QueuedLane;
  readonly executor: ExecutorAddress;
}

export interface ExecutorAddress {
  /** As callers see it. */
  readonly name: string;
  readonly url: string;
}

/** The same epoch never gets two jobs. Null: nothing waits, or the job that took it is over. */
export interface TakeAnswer {
  readonly epoch: number;
  readonly taken: { readonly jobId: string } | null;
}

/** Frees a slot. `costMs`: what the run used of it. */
export interface LaneSettlement {
  readonly epoch: number;
  readonly costMs: number;
  /** The executor took no work: it is not asked again until then. */
  readonly avoidExecutorMs: number | null;
}

export interface LaneState {
  readonly slotsTaken: number;
  /** null is unlimited. */
  readonly slots: number | null;
  /** Jobs of all tenants that could start. */
  readonly backlog: number;
  /** A usual run's time, from those that ended lately; null where none did. */
  readonly usualMs: number | null;
  readonly executors: readonly {
    readonly name: string;
    readonly running: number;
    readonly avoidedUntil: number | null;
  }[];
  /** As the executors measure; null where none says. */
  readonly recommendedConcurrency: number | null;
  readonly canIncreaseConcurrency: boolean | null;
}

// -- Tenant -> Job

/** What a Job is told of itself; the same at every call. */
export interface JobIdentity {
  readonly tenant: string;
  readonly jobId: string;
  readonly lane: QueuedLane;
  readonly createdAt: number;
  /** Its place when it was submitted. */
  readonly position: number;
  readonly callback: Callback | null;
}

export interface JobStart {
  readonly identity: JobIdentity;
  readonly grant: Grant;
  readonly spec: SpecPlace;
  /** From submission to now, waits for retries included. */
  readonly queueMs: number;
}

/** The end of a job that never started, or was waiting to start again. */
export interface QueueEnd {
  readonly identity: JobIdentity;
  readonly spec: SpecPlace;
  readonly state: Extract<JobState, "cancelled" | "expired" | "dead">;
  readonly reason: string;
  readonly at: number;
}

/** What Tenant and Lane ask of a Job. Each is safe to repeat. */
export interface JobCalls {
  /** Resolves once the Job has committed the run; another call with the epoch changes nothing. */
  start(start: JobStart): void | Promise<void>;
  /** Ends the run under way; the end comes as a settlement. */
  cancel(reason: string): CancelAnswer | Promise<CancelAnswer>;
  /** Resolves once `done` is committed. */
  endInQueue(end: QueueEnd): void | Promise<void>;
  /** Deletes all that the Job keeps, in R2, too. */
  purge(): void | Promise<void>;
  /** Whether the run of this epoch is the Job's to settle still; goes on with it if it stood still. */
  wake(epoch: number): boolean | Promise<boolean>;
}

// -- Job -> Tenant

/** How one run ended. */
export interface RunSettlement {
  readonly jobId: string;
  readonly epoch: number;
  readonly end:
    | {
        readonly kind: "ended";
        readonly outcome: Outcome;
        readonly certainty: Certainty;
        readonly cpuMs: number;
        readonly wallMs: number;
        /** The outcome is the platform's, and nothing of the run goes on: it may run again. */
        readonly lost: boolean;
      }
    /** No executor took it, and nothing of it ran: back to the head of the queue. */
    | { readonly kind: "not_taken"; readonly retryAfterMs: number };
}

/** The same settlement always gets the same answer. */
export type SettleAnswer =
  | { readonly kind: "final"; readonly state: JobState; readonly reason: string | null }
  | { readonly kind: "retry"; readonly notBefore: number }
  /** Another epoch has the job, or it is over: nothing changed. */
  | { readonly kind: "stale" };

/** What a Job asks of its Tenant. */
export interface TenantOfJobs {
  /** Ends a run. Safe to repeat. */
  settleJob(settlement: RunSettlement): SettleAnswer | Promise<SettleAnswer>;
  /** Ends a job whose client has left: out of the queue, or by `Job.cancel`. Safe to repeat. */
  cancelJob(jobId: string, reason: string): unknown;
}

/** What a Job asks of its Lane. Both are safe to repeat; epochs that are no more change nothing. */
export interface LaneOfJobs {
  renew(epochs: readonly number[]): unknown;
  settle(settlement: LaneSettlement): unknown;
}

/** What became of a run that was to be cancelled. */
export type CancelAnswer =
  /** Nothing of it lives; `killMs` from the decision to the proof, null where none was needed. */
  | { readonly kind: "ended"; readonly killMs: number | null }
  /** Its executor did not answer in time: the Job goes on killing it. */
  | { readonly kind: "under_way" }
  /** No run is in progress here. */
  | { readonly kind: "not_running" };

// -- gateway -> Job

export interface JobDetails {
  readonly result: RunResult | null;
  /** `result` as exact JSON text: numbers in its value are as the run wrote them. */
  readonly resultText: string | null;
  readonly stats: ContainerStats | null;
  readonly deliveries: readonly WebhookDelivery[];
}

/** How the telling of one event to the job's `callback` stands. */
export interface WebhookDelivery {
  readonly event: CallbackEvent;
  readonly messageId: string;
  readonly state: "pending" | "delivered" | "failed";
  readonly attempts: number;
  /** Of the last answer; null where none came. */
  readonly lastStatus: number | null;
  readonly lastError: string | null;
  readonly lastAt: string | null;
  readonly nextAt: string | null;
}

/** Events after a cursor, each as its JSON text. */
export type EventPage =
  | {
      readonly kind: "page";
      readonly events: readonly string[];
      /** The cursor to go on from. */
      readonly last: number;
      /** `done` is at or before `last`: nothing comes after. */
      readonly ended: boolean;
    }
  /** The cursor's next event is no longer kept (410); the oldest kept has this number. */
  | { readonly kind: "dropped"; readonly oldest: number };

export interface FollowRequest {
  /** Number of the last event that the follower has; 0 for none. */
  readonly after: number;
  readonly format: "sse" | "ndjson";
  /** What becomes of the job when the follower leaves before `done`. */
  readonly onLeave: "cancel" | "nothing";
  /** The stream ends by itself after so long, which is no leaving: the job goes on. Milliseconds. */
  readonly forMs?: number;
}

/**
 * A follower that has nothing yet (`after` 0) is told by a `gap` event what was dropped; one that
 * resumes at a number that was dropped is refused (410).
 */
export type FollowAnswer =
  | { readonly kind: "following"; readonly body: ReadableStream<Uint8Array> }
  | Extract<EventPage, { kind: "dropped" }>;
