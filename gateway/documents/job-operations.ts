import { z } from "zod";

import {
  ArtifactsAnswer,
  BATCH_MAX,
  BatchAnswer,
  CallbackDelivery,
  JobEvent,
  JobEventPage,
  JobExplanation,
  JobOptions,
  JobPage,
  JobState,
  JobView,
  QueueAnswer,
  WebhookSecrets,
} from "../../protocol/job.ts";
import { Lane } from "../../protocol/outcome.ts";
import { BrowserRequest, ContainerRequest, ScriptRequest } from "../../protocol/run-request.ts";
import { type Code, KEY_FAILURES, type Operation } from "./operation.ts";

/** Every request body of `POST /v1/jobs`. */
const JobRequest = z.union([
  ScriptRequest.extend(JobOptions.shape),
  BrowserRequest.extend(JobOptions.shape),
  ContainerRequest.extend(JobOptions.shape),
]);

const BatchRequest = z.strictObject({ jobs: z.array(JobRequest).min(1).max(BATCH_MAX) });

/** Schemas of jobs that the document names. */
export const JOB_SCHEMAS: Readonly<Record<string, z.ZodType>> = {
  JobRequest,
  JobView,
  JobPage,
  JobEvent,
  JobEventPage,
  JobExplanation,
  ArtifactsAnswer,
  BatchAnswer,
  QueueAnswer,
};

const text = z.string();
const json = (schema: z.ZodType) => ({ "application/json": schema });

const READ_FAILURES: readonly Code[] = [...KEY_FAILURES, "not_found", "jobs_unavailable"];

const SUBMIT_FAILURES: readonly Code[] = [
  "malformed_request",
  "limit_out_of_range",
  ...KEY_FAILURES,
  "payload_too_large",
  "unsupported_media_type",
  "rate_limited",
  "quota_exceeded",
  "queue_full",
  "lane_unavailable",
  "jobs_unavailable",
];

const KEY_HEADER = {
  "Idempotency-Key": {
    schema: text,
    means: "the same key with the same request gives the same job, for a day",
  },
};

const EXAMPLE = {
  language: "python",
  code: "print(open('in.csv').read())",
  files: [{ path: "in.csv", content: "a,b" }],
  limits: { wallMs: 60_000 },
};

/** The routes of jobs. */
export const JOB_OPERATIONS: readonly Operation[] = [
  {
    method: "post",
    path: "/v1/jobs",
    summary: "Submit a job",
    description:
      "The 202 goes out once the job is kept: from then on it ends exactly once, whatever crashes.",
    access: "key",
    headers: {
      ...KEY_HEADER,
      Prefer: { schema: text, means: "`wait=20` waits so many seconds for the job's end first" },
    },
    body: { schema: JobRequest, example: EXAMPLE },
    answer: { status: 202, content: json(JobView) },
    also: { status: 200, means: "The job is over", schema: JobView },
    failures: [...SUBMIT_FAILURES, "gone", "idempotency_in_flight", "idempotency_conflict"],
  },
  {
    method: "post",
    path: "/v1/jobs/batch",
    summary: `Submit up to ${BATCH_MAX} jobs`,
    description: "Each is accepted or refused by itself; the answers are in the requests' order.",
    access: "key",
    headers: KEY_HEADER,
    body: { schema: BatchRequest, example: { jobs: [EXAMPLE] } },
    answer: { status: 200, content: json(BatchAnswer) },
    failures: SUBMIT_FAILURES,
  },
  {
    method: "get",
    path: "/v1/jobs",
    summary: "Jobs, the newest first",
    description: "A page may hold fewer than asked for and yet have a next.",
    access: "key",
    query: {
      state: { schema: JobState, means: "those in this state" },
      lane: { schema: Lane, means: "those on this lane" },
      cursor: { schema: text, means: "the `nextCursor` of the page before" },
      limit: { schema: z.number().int().min(1).max(200), means: "how many; 50" },
    },
    answer: { status: 200, content: json(JobPage) },
    failures: ["malformed_request", ...KEY_FAILURES, "jobs_unavailable"],
  },
  {
    method: "get",
    path: "/v1/jobs/{id}",
    summary: "A job as it stands, its result when it is over",
    access: "key",
    answer: { status: 200, content: json(JobView) },
    failures: READ_FAILURES,
  },
  {
    method: "delete",
    path: "/v1/jobs/{id}",
    summary: "Cancel a job",
    description:
      "One that waits ends at once; one that runs is killed, and the answer waits for the proof. One that is over stays as it ended.",
    access: "key",
    answer: { status: 200, content: json(JobView) },
    failures: READ_FAILURES,
  },
  {
    method: "get",
    path: "/v1/jobs/{id}/events",
    summary: "A job's events, as they happen",
    description:
      "Server-sent events, numbered from 1 without gaps; `done` is the last. `Accept: application/x-ndjson` gives them as lines, `application/json` those that there are at once, and a WebSocket upgrade one in each frame. A stream that ends without `done` is not over: come back with the last number.",
    access: "key",
    query: {
      after: { schema: z.number().int().min(0), means: "events after this number; 0" },
      ticket: { schema: text, means: "instead of a key, from `POST /v1/tickets`" },
    },
    headers: { "Last-Event-ID": { schema: text, means: "as `after`, and before it" } },
    answer: {
      status: 200,
      content: {
        "text/event-stream": text,
        "application/x-ndjson": JobEvent,
        "application/json": JobEventPage,
      },
    },
    failures: ["malformed_request", ...READ_FAILURES, "gone"],
  },
  {
    method: "get",
    path: "/v1/jobs/{id}/explain",
    summary: "Why a job waits, or how it was decided",
    access: "key",
    answer: { status: 200, content: json(JobExplanation) },
    failures: READ_FAILURES,
  },
  {
    method: "post",
    path: "/v1/jobs/{id}/redrive",
    summary: "Run a job that is over again, as a new one",
    access: "key",
    answer: { status: 202, content: json(JobView) },
    failures: [
      ...READ_FAILURES,
      "conflict",
      "gone",
      "rate_limited",
      "quota_exceeded",
      "queue_full",
    ],
  },
  {
    method: "post",
    path: "/v1/jobs/{id}/redeliver",
    summary: "Tell a job's callback again of all that it was to be told",
    access: "key",
    answer: {
      status: 200,
      content: json(z.strictObject({ deliveries: z.array(CallbackDelivery) })),
    },
    failures: READ_FAILURES,
  },
  {
    method: "get",
    path: "/v1/webhooks/secrets",
    summary: "The secrets that the tenant's callbacks verify messages with: any one of them must",
    access: "key",
    answer: { status: 200, content: json(WebhookSecrets) },
    failures: KEY_FAILURES,
  },
  {
    method: "get",
    path: "/v1/jobs/{id}/artifacts",
    summary: "The files that a job left",
    access: "key",
    answer: { status: 200, content: json(ArtifactsAnswer) },
    failures: READ_FAILURES,
  },
  {
    method: "get",
    path: "/v1/jobs/{id}/artifacts/{path}",
    summary: "A file that a job left",
    access: "key",
    headers: { Range: { schema: text, means: "`bytes=0-99` gives these alone, with status 206" } },
    answer: { status: 200, content: { "application/octet-stream": text } },
    failures: READ_FAILURES,
  },
  {
    method: "get",
    path: "/v1/queue",
    summary: "How much waits and runs",
    description:
      "Of all tenants together it tells sums alone. A lane that does not answer is left out.",
    access: "key",
    answer: { status: 200, content: json(QueueAnswer) },
    failures: [...KEY_FAILURES, "jobs_unavailable"],
  },
];
