import { z } from "zod";

import { ContainerArtifact, ContainerStats } from "./container-api.ts";
import { Certainty, Lane, Outcome } from "./outcome.ts";
import { Route, RunResult } from "./run-result.ts";
import { ConsoleLine } from "./sandbox-api.ts";

/** `job_` and 128 random bits in base32. Its Durable Object is named `{tenant}/{job id}`. */
export const JOB_ID = /^job_[a-z2-7]{26}$/;

/** 9 first. */
const PRIORITY_DEFAULT = 5;

/** How a user's own failures are tried again; losses of the platform count apart. */
export const RetryRequest = z.strictObject({
  /** Runs after the first. */
  attempts: z.number().int().min(0).max(10).default(0),
  /** Before the first retry; doubles with each, with jitter, up to an hour. */
  backoffMs: z.number().int().min(0).max(3_600_000).default(1_000),
  on: z.array(Outcome).max(12).default(["failed"]),
  /** Runs after the first that the platform lost: at least once. 0 turns it off. */
  onLost: z.number().int().min(0).max(10).default(3),
});
export type RetryRequest = z.infer<typeof RetryRequest>;

export const CallbackEvent = z.enum(["started", "done"]);
export type CallbackEvent = z.infer<typeof CallbackEvent>;

export const Callback = z.strictObject({
  url: z.url({ protocol: /^https?$/ }).max(2048),
  events: z.array(CallbackEvent).min(1).max(2).default(["done"]),
});
export type Callback = z.infer<typeof Callback>;

/** Fields of a job request that say how it queues, not what it does. */
export const JobOptions = z.strictObject({
  priority: z.number().int().min(0).max(9).default(PRIORITY_DEFAULT),
  /** ISO 8601; the job waits until then. */
  notBefore: z.iso.datetime({ offset: true }).optional(),
  /** ISO 8601; a job that did not start by then ends `expired`. */
  expiresAt: z.iso.datetime({ offset: true }).optional(),
  retry: RetryRequest.prefault({}),
  callback: Callback.optional(),
});
export type JobOptions = z.infer<typeof JobOptions>;
export const JOB_OPTION_NAMES = Object.keys(JobOptions.shape) as readonly (keyof JobOptions)[];

/**
 * `queued`: waits for its time, a retry or a slot. `done`: it has an outcome. `dead`: the platform
 * lost it more often than it may be retried. The last four never change.
 */
export const JobState = z.enum(["queued", "running", "done", "cancelled", "expired", "dead"]);
export type JobState = z.infer<typeof JobState>;

export const isTerminal = (state: JobState): boolean => state !== "queued" && state !== "running";

/** One attempt. `outcome` is null while it runs. */
export const JobRun = z.strictObject({
  runId: z.string(),
  executor: z.string(),
  outcome: Outcome.nullable(),
});
export type JobRun = z.infer<typeof JobRun>;

/** What a Tenant object knows of a job: everything but its result, its latest stats and its files. */
export const JobSummary = z.strictObject({
  id: z.string().regex(JOB_ID),
  state: JobState,
  lane: Lane,
  route: Route,
  priority: z.number(),
  createdAt: z.string(),
  startedAt: z.string().nullable(),
  endedAt: z.string().nullable(),
  /** Set while `queued`: how many of the tenant's are before it, and what runs of how much. */
  queue: z
    .strictObject({
      position: z.number().int().min(1),
      running: z.number(),
      /** null is unlimited. */
      maxConcurrency: z.number().nullable(),
      /** null where there is nothing to judge by. */
      estimatedWaitMs: z.number().nullable(),
      notBefore: z.string().nullable(),
    })
    .nullable(),
  runs: z.array(JobRun),
  /** Why it is dead, cancelled or expired. */
  reason: z.string().nullable(),
  redriveOf: z.string().nullable(),
});
export type JobSummary = z.infer<typeof JobSummary>;

/** How the telling of one event to a job's `callback` stands. */
export const CallbackDelivery = z.strictObject({
  event: CallbackEvent,
  /** As in the delivery's `webhook-id`. */
  messageId: z.string(),
  state: z.enum(["pending", "delivered", "failed"]),
  attempts: z.number(),
  /** Of the last answer; null where none came. */
  lastStatus: z.number().nullable(),
  lastError: z.string().nullable(),
  lastAt: z.string().nullable(),
  nextAt: z.string().nullable(),
});
export type CallbackDelivery = z.infer<typeof CallbackDelivery>;

/** `GET /v1/webhooks/secrets`: as Standard Webhooks libraries take them; a message is signed with each. */
export const WebhookSecrets = z.strictObject({ secrets: z.array(z.string()) });
export type WebhookSecrets = z.infer<typeof WebhookSecrets>;

/** `GET /v1/jobs/{id}`, and the 202 of every route that makes a job. */
export const JobView = z.strictObject({
  ...JobSummary.shape,
  result: RunResult.nullable(),
  stats: ContainerStats.nullable(),
  deliveries: z.array(CallbackDelivery),
});
export type JobView = z.infer<typeof JobView>;

/** `GET /v1/jobs`: newest first. */
export const JobPage = z.strictObject({
  jobs: z.array(JobSummary),
  /** For `?cursor=`; null on the last page. */
  nextCursor: z.string().nullable(),
});
export type JobPage = z.infer<typeof JobPage>;

/** `GET /v1/jobs/{id}/explain`: why a job waits, or how it was decided. */
export const JobExplanation = z.strictObject({
  job: JobSummary,
  /** In one sentence. */
  decision: z.string(),
  /** What the job waits for; null where it waits for nothing. */
  waitsFor: z
    .enum(["its_time", "a_retry", "tenant_concurrency", "a_turn", "a_slot", "an_executor"])
    .nullable(),
  tenant: z.strictObject({
    running: z.number(),
    queued: z.number(),
    /** null is unlimited. */
    maxConcurrency: z.number().nullable(),
  }),
  /** Of all tenants together; null while the lane cannot be asked. */
  lane: z
    .strictObject({
      slotsTaken: z.number(),
      slots: z.number().nullable(),
      backlog: z.number(),
      usualMs: z.number().nullable(),
      executors: z.array(z.strictObject({ name: z.string(), running: z.number() })),
    })
    .nullable(),
  /** When the wait ends with `expired`; null where the job does not wait. */
  expiresAt: z.string().nullable(),
});
export type JobExplanation = z.infer<typeof JobExplanation>;

const numbered = { seq: z.number().int().min(1), at: z.string() };
const outputOf = <S extends "stdout" | "stderr">(stream: S) =>
  z.strictObject({
    ...numbered,
    type: z.literal(stream),
    offset: z.number(),
    data: z.string(),
    encoding: z.enum(["utf8", "base64"]),
  });

/** `GET /v1/jobs/{id}/artifacts`. */
export const ArtifactsAnswer = z.strictObject({
  jobId: z.string(),
  /** Whether the job is over, so that no more come. */
  ended: z.boolean(),
  artifacts: z.array(ContainerArtifact),
});
export type ArtifactsAnswer = z.infer<typeof ArtifactsAnswer>;

/** `POST /v1/jobs/batch`. */
export const BATCH_MAX = 100;

/** One event of a job. Numbered from 1 without gaps; `done` comes once, last; `started` with each run. */
export const JobEvent = z.discriminatedUnion("type", [
  z.strictObject({ ...numbered, type: z.literal("queued"), position: z.number() }),
  z.strictObject({
    ...numbered,
    type: z.literal("started"),
    runId: z.string(),
    epoch: z.number(),
    executor: z.string(),
  }),
  outputOf("stdout"),
  outputOf("stderr"),
  z.strictObject({ ...numbered, type: z.literal("console"), ...ConsoleLine.shape }),
  z.strictObject({ ...numbered, type: z.literal("stats"), ...ContainerStats.shape }),
  z.strictObject({ ...numbered, type: z.literal("artifact"), artifact: ContainerArtifact }),
  /** Something is missing here: bytes of a stream, or events that the log no longer holds. */
  z.strictObject({
    ...numbered,
    type: z.literal("gap"),
    what: z.enum(["stdout", "stderr", "events"]),
    from: z.number(),
    to: z.number(),
  }),
  /** A run ended and the job will run again. */
  z.strictObject({
    ...numbered,
    type: z.literal("retry"),
    runId: z.string(),
    outcome: Outcome,
    certainty: Certainty,
    notBefore: z.string(),
  }),
  z.strictObject({
    ...numbered,
    type: z.literal("done"),
    state: JobState,
    result: RunResult,
  }),
]);
export type JobEvent = z.infer<typeof JobEvent>;
/** An event before it has its number and time. */
export type JobEventBody = JobEvent extends infer E
  ? E extends JobEvent
    ? Omit<E, "seq" | "at">
    : never
  : never;

/** `GET /v1/jobs/{id}/events` with `Accept: application/json`: those there are, oldest first. */
export const JobEventPage = z.strictObject({
  events: z.array(JobEvent),
  /** For `?after=`. */
  last: z.number(),
  /** Nothing comes after `last`. */
  ended: z.boolean(),
});
export type JobEventPage = z.infer<typeof JobEventPage>;

/** One of the answers of `POST /v1/jobs/batch`, in the order of the requests. */
export const BatchItem = z.union([
  z.strictObject({ status: z.literal(202), job: JobView, replayed: z.boolean() }),
  z.strictObject({
    status: z.number(),
    problem: z.looseObject({ code: z.string(), detail: z.string() }),
  }),
]);
export type BatchItem = z.infer<typeof BatchItem>;
export const BatchAnswer = z.strictObject({ results: z.array(BatchItem) });
export type BatchAnswer = z.infer<typeof BatchAnswer>;

/** `GET /v1/queue`. */
export const QueueAnswer = z.strictObject({
  running: z.number(),
  queued: z.number(),
  /** null is unlimited. */
  maxConcurrency: z.number().nullable(),
  utilizationPercent: z.number(),
  lanes: z.record(
    z.string(),
    z.strictObject({
      running: z.number(),
      queued: z.number(),
      /** Of all tenants together. */
      slotsTaken: z.number(),
      maxConcurrency: z.number().nullable(),
      utilizationPercent: z.number(),
      recommendedConcurrency: z.number().nullable(),
      canIncreaseConcurrency: z.boolean().nullable(),
    }),
  ),
});
export type QueueAnswer = z.infer<typeof QueueAnswer>;
