import { z } from "zod";

import { TENANT_ID } from "./api-key.ts";
import { NetPermission } from "./net-permission.ts";
import { Certainty, Outcome } from "./outcome.ts";
import { RunError, Truncation } from "./sandbox-api.ts";

/**
 * What a Job and a container-executor say to each other. Every request is signed (`signature.ts`).
 *
 * - `PUT /v1/runs/{runId}` with a `ContainerOrder`: 201 taken, 200 where it was taken before (the
 *   same id never starts twice), 503 with `Bulkhead-Refusal` where no work is taken now, 422 with
 *   an `OrderRefusal` where it never can be.
 * - `GET /v1/runs/{runId}/events?after=N`: NDJSON of `ContainerEvent`s after number N, those kept
 *   first, then live ones; an empty line is a heartbeat. Ends after `end`. A connection may be cut
 *   and opened again at will; events stay until they are acknowledged by `ack`.
 * - `POST /v1/runs/{runId}/renew`: the run may go on for another lease.
 * - `GET /v1/runs/{runId}/artifacts/{path}`: a file that the run left, until `ack`.
 * - `DELETE /v1/runs/{runId}`: a verified kill; answers a `RunStatus` once nothing of the run
 *   lives. The record stays until `ack`.
 * - `POST /v1/runs/{runId}/ack`: frees the record and its files; its id is still never run again.
 * - `GET /v1/runs/{runId}`: a `RunStatus`.
 *
 * 404 says that the journal does not know the run: it never started here, or is acknowledged.
 */
export const CONTAINER_RUNS = "/v1/runs";

/** How often an executor says something on an open event stream, at the least; milliseconds. */
export const HEARTBEAT_MS = 10_000;

/** How often a Job renews a run, and after how long without a renewal its executor kills it; milliseconds. */
export const RENEW_EVERY_MS = 10_000;
export const RENEWED_WITHIN_MS = 45_000;

const CONTAINER_RUN_ID = /^job_[a-z2-7]{26}\.[0-9]{1,15}$/;

const count = z.number().int().nonnegative();
const atLeast = (floor: number) => z.number().int().min(floor);

/** Runtimes with an image of their own; each is a language of the API. */
export const ContainerRuntime = z.enum(["bash", "python", "node", "javascript", "typescript"]);
export type ContainerRuntime = z.infer<typeof ContainerRuntime>;

/** Where a runtime's program is laid in the work folder: no file of the request may lie there. */
export const ENTRY_PATHS: Readonly<Record<ContainerRuntime, string>> = {
  bash: "main.sh",
  python: "main.py",
  node: "main.mjs",
  javascript: "main.mjs",
  typescript: "main.mts",
};

/** What a run may use; the gateway has decided all of them. null is unlimited, an operator's choice. */
export const ContainerCaps = z.strictObject({
  wallMs: atLeast(10),
  /** CPU time of all its processes together. */
  cpuMs: atLeast(1).nullable(),
  memoryMb: atLeast(16).nullable(),
  /** Cores at once; may be a fraction. */
  cpus: z.number().positive().nullable(),
  pids: atLeast(8).nullable(),
  diskMb: atLeast(1),
  /** Of output told live and kept as head and tail, both streams together. */
  outputBytes: count,
  /** Of output kept whole as an artifact; what is over ends the run with `output_limit`. */
  outputFileBytes: count,
  artifactFiles: count,
  /** Of all artifacts together. */
  artifactBytes: count,
});
export type ContainerCaps = z.infer<typeof ContainerCaps>;

/** A file laid into the work folder before the run: relative path, bytes, permission bits. */
export const OrderFile = z.strictObject({
  path: z.string().min(1).max(1024),
  base64: z.string(),
  mode: z.number().int().min(0).max(0o777),
});
export type OrderFile = z.infer<typeof OrderFile>;

export const ContainerOrder = z.strictObject({
  runId: z.string().regex(CONTAINER_RUN_ID),
  tenant: z.string().regex(TENANT_ID),
  /** Exactly one of `runtime` and `image` is set. */
  runtime: ContainerRuntime.nullable(),
  image: z.string().min(1).max(512).nullable(),
  /** The program's source in the runtime's language; with an image, a shell script. */
  code: z.string().nullable(),
  /** JSON text of the input, for JavaScript and TypeScript. */
  inputJson: z.string().nullable(),
  args: z.array(z.string()),
  env: z.record(z.string(), z.string()),
  /** UTF-8; null is an empty standard input. */
  stdin: z.string().nullable(),
  files: z.array(OrderFile),
  /** Globs, relative to the work folder, of files to keep. */
  artifacts: z.array(z.string().max(1024)),
  caps: ContainerCaps,
  /** Hosts that the run may reach; empty is no network at all. */
  net: z.array(NetPermission),
});
export type ContainerOrder = z.infer<typeof ContainerOrder>;

/** Body of a 422: the order is well-formed and cannot run here. */
export const OrderRefusal = z.object({
  code: z.enum([
    "image_not_allowed",
    "image_missing",
    /** Files in and artifacts out need an image with the platform's init. */
    "files_need_runtime",
    "network_not_allowed",
    "above_ceiling",
  ]),
  detail: z.string(),
});
export type OrderRefusal = z.infer<typeof OrderRefusal>;

/** Use of a running container, measured from its control group. Percentages are of its own limits. */
export const ContainerStats = z.strictObject({
  cpuPercent: z.number().nonnegative(),
  memoryBytes: count,
  /** null where the memory is unlimited. */
  memoryPercent: z.number().nonnegative().nullable(),
  pids: count,
});
export type ContainerStats = z.infer<typeof ContainerStats>;

/** A file that a run left. `output` is a whole stream that was too long to tell. */
export const ContainerArtifact = z.strictObject({
  path: z.string(),
  bytes: count,
  mode: z.number().int(),
  /** Of its bytes, lower-case hex. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  kind: z.enum(["file", "output"]),
});
export type ContainerArtifact = z.infer<typeof ContainerArtifact>;

/** Where whole streams lie among a run's artifacts. */
export const OUTPUT_ARTIFACTS = {
  stdout: ".bulkhead/stdout",
  stderr: ".bulkhead/stderr",
} as const;

/** How a run in a container ended. */
export const ContainerResult = z.strictObject({
  runId: z.string(),
  outcome: Outcome,
  certainty: Certainty,
  /** Whether any of the tenant's code may have run. */
  started: z.boolean(),
  exitCode: z.number().int().nullable(),
  /** `SIGKILL` and the like, where a signal ended it. */
  signal: z.string().nullable(),
  /** What a JavaScript or TypeScript module's default export gave, as JSON text. */
  valueJson: z.string().nullable(),
  error: RunError.nullable(),
  /** Head and tail of each stream, at most `RESULT_TEXT_BYTES` together; bytes that are not UTF-8 are replaced. */
  stdout: z.string(),
  stderr: z.string(),
  truncated: Truncation.nullable(),
  artifacts: z.array(ContainerArtifact),
  /** Files that matched and were not kept, each with why; at most 100. */
  artifactsLeft: z.array(z.strictObject({ path: z.string(), reason: z.string() })),
  usage: z.strictObject({
    /** From the order to the job's first instruction. */
    startMs: z.number().nonnegative(),
    wallMs: z.number().nonnegative(),
    cpuMs: z.number().nonnegative(),
    memoryPeakBytes: count,
    /** From the decision to end the run to the proof that nothing of it lives; null where it ended by itself. */
    killMs: z.number().nonnegative().nullable(),
  }),
});
export type ContainerResult = z.infer<typeof ContainerResult>;

/** Of a result's `stdout` and `stderr` together; the event log has more, artifacts have all. */
export const RESULT_TEXT_BYTES = 1024 * 1024;

const numbered = { seq: z.number().int().min(1), atMs: z.number().nonnegative() };

const outputOf = <S extends "stdout" | "stderr">(stream: S) =>
  z.strictObject({
    ...numbered,
    type: z.literal(stream),
    /** Of the first byte in the stream as the job wrote it. */
    offset: count,
    /** UTF-8 text, or base64 where the bytes are not; never splits a character that is whole. */
    data: z.string(),
    encoding: z.enum(["utf8", "base64"]),
  });

/** One event of a run, numbered from 1 without gaps; `atMs` since the order was taken. */
export const ContainerEvent = z.discriminatedUnion("type", [
  z.strictObject({
    ...numbered,
    type: z.literal("started"),
    startMs: z.number().nonnegative(),
    /** Whether a container that was ready took it. */
    spare: z.boolean(),
  }),
  outputOf("stdout"),
  outputOf("stderr"),
  z.strictObject({
    ...numbered,
    type: z.literal("gap"),
    stream: z.enum(["stdout", "stderr"]),
    /** Bytes of the stream that are told nowhere live: from, and up to but without. */
    from: count,
    to: count,
  }),
  z.strictObject({ ...numbered, type: z.literal("stats"), ...ContainerStats.shape }),
  z.strictObject({ ...numbered, type: z.literal("artifact"), artifact: ContainerArtifact }),
  z.strictObject({ ...numbered, type: z.literal("end"), result: ContainerResult }),
]);
export type ContainerEvent = z.infer<typeof ContainerEvent>;

/** What the journal knows of a run. */
export const RunStatus = z.object({
  runId: z.string(),
  state: z.enum(["starting", "running", "ended"]),
  lastSeq: count,
  /** Set once `ended`. */
  outcome: Outcome.nullable(),
  killMs: z.number().nullable(),
});
export type RunStatus = z.infer<typeof RunStatus>;

/** `GET /readyz` of a container-executor: 200 when `ready`, else 503. */
export const ContainerReadiness = z.object({
  ready: z.boolean(),
  reason: z.string().nullable(),
  bootId: z.string(),
  draining: z.boolean(),
  inFlight: count,
  spares: z.record(z.string(), count),
  engine: z.object({ version: z.string(), runtime: z.string() }).nullable(),
  /** Runtime images that are here, and those that are not. */
  images: z.record(z.string(), z.boolean()),
  host: z.object({
    cores: count,
    cpuPercent: z.number(),
    memoryBytes: count,
    memoryAvailableBytes: count,
    diskFreeBytes: count,
  }),
  recommendedConcurrency: count,
  canIncreaseConcurrency: z.boolean(),
});
export type ContainerReadiness = z.infer<typeof ContainerReadiness>;

/** `GET /v1/runtimes` of a container-executor. */
export const ContainerRuntimes = z.object({
  runtimes: z.array(
    z.object({
      language: z.string(),
      version: z.string(),
      lane: z.literal("container"),
      engine: z.string(),
      image: z.string(),
    }),
  ),
});
export type ContainerRuntimes = z.infer<typeof ContainerRuntimes>;

/** How hard a container's use presses against its limits. */
export const HealthLevel = z.enum(["OK", "WARNING", "CRITICAL"]);
export type HealthLevel = z.infer<typeof HealthLevel>;

/** `GET /v1/health` (all) and `GET /v1/health/{runId}` (one, with its history) of a container-executor. */
export const ContainerHealth = z.object({
  runId: z.string(),
  level: HealthLevel,
  /** What is over a threshold: `cpu`, `memory`, `pids`. */
  reasons: z.array(z.string()),
  stats: ContainerStats.nullable(),
  history: z.array(ContainerStats.extend({ atMs: z.number() })).optional(),
});
export type ContainerHealth = z.infer<typeof ContainerHealth>;

export const HealthReport = z.object({
  healthyContainers: count,
  totalContainers: count,
  containers: z.array(ContainerHealth),
});
export type HealthReport = z.infer<typeof HealthReport>;
