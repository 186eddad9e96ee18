import { z } from "zod";

import { ContainerRuntimes } from "../../protocol/container-api.ts";
import { ExecutorHealth, ExecutorsAnswer } from "../../protocol/executor-health.ts";
import { JobEvent, JobView } from "../../protocol/job.ts";
import { BrowserRequest, ContainerRequest, ScriptRequest } from "../../protocol/run-request.ts";
import { DryRunAnswer, RunEvent, RunResult } from "../../protocol/run-result.ts";
import { SandboxRuntimes } from "../../protocol/sandbox-api.ts";
import {
  LimitsAnswer,
  TicketAnswer,
  TicketRequest,
  UsageAnswer,
} from "../../protocol/tenant-answers.ts";
import { KeyInfo, KeyRequest, MintedKey, TenantOverrides } from "../../protocol/tenant.ts";
import { JOB_OPERATIONS, JOB_SCHEMAS } from "./job-operations.ts";
import { type Code, KEY_FAILURES, type Operation } from "./operation.ts";

const RuntimesAnswer = z.object({
  runtimes: z.array(
    z.union([SandboxRuntimes.shape.runtimes.element, ContainerRuntimes.shape.runtimes.element]),
  ),
});

/** Every request body of `POST /v1/run`. */
const RunRequest = z.union([ScriptRequest, BrowserRequest, ContainerRequest]);

const TenantAnswer = z.strictObject({
  tenant: z.string(),
  version: z.number(),
  overrides: TenantOverrides,
});

const KeysAnswer = z.strictObject({ tenant: z.string(), keys: z.array(KeyInfo) });

const ChangesAnswer = z.strictObject({
  changes: z.array(
    z.strictObject({ at: z.string(), action: z.string(), tenant: z.string(), subject: z.string() }),
  ),
});

const TenantsAnswer = z.strictObject({
  tenants: z.array(z.strictObject({ tenant: z.string(), registeredAt: z.string() })),
  cursor: z.string().nullable(),
});

/** What callers see of a failure, on every route. */
export const ProblemDetails = z.looseObject({
  type: z.string(),
  title: z.string(),
  status: z.number(),
  detail: z.string(),
  code: z.string(),
  requestId: z.string(),
});

/** Schemas that the document names, so that it says each once. */
export const NAMED_SCHEMAS: Readonly<Record<string, z.ZodType>> = {
  RunRequest,
  RunResult,
  RunEvent,
  DryRunAnswer,
  LimitsAnswer,
  UsageAnswer,
  RuntimesAnswer,
  ...JOB_SCHEMAS,
  TenantOverrides,
  KeyRequest,
  MintedKey,
  KeyInfo,
  ProblemDetails,
};

const text = z.string();
const json = (schema: z.ZodType) => ({ "application/json": schema });

const ADMIN_FAILURES: readonly Code[] = ["malformed_request", "unauthenticated"];

/** Every route there is. A test holds this list against the app's own. */
export const OPERATIONS: readonly Operation[] = [
  {
    method: "post",
    path: "/v1/run",
    summary: "Run code and wait for its result",
    description:
      "The code's own failure is a 200 with an outcome. With `Accept: text/event-stream` or `application/x-ndjson` the run's events come as they happen, numbered from 1; `done` is the last and carries the result. On the container lane, and with an `Idempotency-Key`, it is a job that is waited for. A client that leaves ends its run, unless it sent an `Idempotency-Key`.",
    headers: {
      "Idempotency-Key": {
        schema: text,
        means: "a request that is sent again with the same key is not run again",
      },
    },
    access: "key",
    query: {
      dry_run: {
        schema: z.enum(["true", "false"]),
        means: "`true` says what would happen, and does nothing",
      },
    },
    body: {
      schema: RunRequest,
      example: {
        language: "typescript",
        code: "export default ({ a, b }: { a: number; b: number }) => a + b",
        input: { a: 1, b: 2 },
      },
    },
    answer: {
      status: 200,
      content: {
        "application/json": [RunResult, DryRunAnswer],
        "text/event-stream": text,
        "application/x-ndjson": [RunEvent, JobEvent],
      },
    },
    also: {
      status: 202,
      means: "The job goes on, and may be followed at `Location`",
      schema: JobView,
    },
    failures: [
      "malformed_request",
      "limit_out_of_range",
      ...KEY_FAILURES,
      "payload_too_large",
      "unsupported_media_type",
      "rate_limited",
      "concurrency_limited",
      "quota_exceeded",
      "queue_full",
      "idempotency_in_flight",
      "idempotency_conflict",
      "gone",
      "jobs_unavailable",
      "lane_unavailable",
      "lane_full",
      "draining",
      "executor_unavailable",
      "executor_timeout",
    ],
  },
  ...JOB_OPERATIONS,
  {
    method: "post",
    path: "/v1/tickets",
    summary: "A ticket for what cannot send a header",
    description:
      "A page's EventSource or WebSocket puts it into its address as `?ticket=`. It opens one path, once, for a minute.",
    access: "key",
    body: {
      schema: TicketRequest,
      example: { path: "/v1/jobs/job_aaaaaaaaaaaaaaaaaaaaaaaaaa/events" },
    },
    answer: { status: 201, content: json(TicketAnswer) },
    failures: ["malformed_request", ...KEY_FAILURES, "unsupported_media_type"],
  },
  {
    method: "get",
    path: "/v1/limits",
    summary: "Every limit of the tenant, and what set it",
    access: "key",
    answer: { status: 200, content: json(LimitsAnswer) },
    failures: KEY_FAILURES,
  },
  {
    method: "get",
    path: "/v1/usage",
    summary: "Metered use by day and lane",
    access: "key",
    query: {
      days: {
        schema: z.number().int().min(1).max(400),
        means: "how many days, today included; 30",
      },
    },
    answer: { status: 200, content: json(UsageAnswer) },
    failures: ["malformed_request", ...KEY_FAILURES],
  },
  {
    method: "get",
    path: "/v1/runtimes",
    summary: "Languages and their versions",
    access: "key",
    answer: { status: 200, content: json(RuntimesAnswer) },
    failures: [...KEY_FAILURES, "executor_unavailable"],
  },
  {
    method: "get",
    path: "/health/executors",
    summary: "How the executors are, asked at the moment",
    access: "admin",
    answer: { status: 200, content: json(ExecutorsAnswer) },
    failures: ADMIN_FAILURES,
  },
  {
    method: "get",
    path: "/health/executors/{id}",
    summary: "One executor; with what its containers use",
    access: "admin",
    answer: { status: 200, content: json(ExecutorHealth) },
    failures: ["not_found", ...ADMIN_FAILURES],
  },
  {
    method: "post",
    path: "/admin/sweep",
    summary: "Set going what stands still; the cron trigger does the same each minute",
    access: "admin",
    answer: { status: 200, content: json(z.object({ tenantsAsked: z.number() })) },
    failures: ADMIN_FAILURES,
  },
  {
    method: "get",
    path: "/admin/tenants",
    summary: "The tenants, by id",
    access: "admin",
    query: {
      cursor: { schema: text, means: "the `cursor` of the page before" },
      limit: { schema: z.number().int().min(1).max(1000), means: "how many; 100" },
    },
    answer: { status: 200, content: json(TenantsAnswer) },
    failures: ADMIN_FAILURES,
  },
  {
    method: "get",
    path: "/admin/changes",
    summary: "What operators changed, newest first",
    access: "admin",
    query: { limit: { schema: z.number().int().min(1).max(1000), means: "how many; 100" } },
    answer: { status: 200, content: json(ChangesAnswer) },
    failures: ADMIN_FAILURES,
  },
  {
    method: "get",
    path: "/admin/tenants/{id}",
    summary: "What a tenant has instead of the variables' limits",
    access: "admin",
    answer: { status: 200, content: json(TenantAnswer) },
    failures: ADMIN_FAILURES,
  },
  {
    method: "put",
    path: "/admin/tenants/{id}",
    summary: "Replace a tenant's overrides",
    access: "admin",
    body: {
      schema: TenantOverrides,
      example: {
        maxConcurrent: 100,
        isolate: { limits: { wallMs: { default: 10_000, maximum: 60_000 } } },
        net: ["*.example.com"],
      },
    },
    answer: { status: 200, content: json(TenantAnswer) },
    failures: ADMIN_FAILURES,
  },
  {
    method: "delete",
    path: "/admin/tenants/{id}",
    summary: "Clear a tenant's overrides; its keys stay",
    access: "admin",
    answer: { status: 204, content: {} },
    failures: ADMIN_FAILURES,
  },
  {
    method: "post",
    path: "/admin/tenants/{id}/keys",
    summary: "Mint a key; with its first key the tenant exists",
    description: "The key is shown this once and kept nowhere.",
    access: "admin",
    body: { schema: KeyRequest, example: { name: "ci", scopes: ["run"] } },
    answer: { status: 201, content: json(MintedKey) },
    failures: [...ADMIN_FAILURES, "forbidden"],
  },
  {
    method: "get",
    path: "/admin/tenants/{id}/keys",
    summary: "A tenant's keys, revoked ones too",
    access: "admin",
    answer: { status: 200, content: json(KeysAnswer) },
    failures: ADMIN_FAILURES,
  },
  {
    method: "delete",
    path: "/admin/tenants/{id}/keys/{keyId}",
    summary: "Revoke a key for good",
    access: "admin",
    answer: { status: 200, content: json(KeyInfo) },
    failures: [...ADMIN_FAILURES, "not_found"],
  },
  {
    method: "get",
    path: "/healthz",
    summary: "Whether the gateway is up",
    access: "open",
    answer: { status: 200, content: json(z.strictObject({ status: z.literal("ok") })) },
    failures: [],
  },
  {
    method: "get",
    path: "/readyz",
    summary: "Whether the gateway is ready",
    access: "open",
    answer: { status: 200, content: json(z.strictObject({ status: z.literal("ready") })) },
    failures: [],
  },
  {
    method: "get",
    path: "/openapi.json",
    summary: "This API as an OpenAPI 3.1 document",
    access: "open",
    answer: { status: 200, content: json(z.looseObject({})) },
    failures: [],
  },
  {
    method: "get",
    path: "/docs",
    summary: "This API as a page",
    access: "open",
    answer: { status: 200, content: { "text/html": text } },
    failures: [],
  },
];
