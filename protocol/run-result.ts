import { z } from "zod";

import { ContainerArtifact, ContainerResult } from "./container-api.ts";
import { Certainty, Lane, Outcome } from "./outcome.ts";
import { ConsoleLine, Encoding, Isolation, RunError, Truncation } from "./sandbox-api.ts";

export const Route = z.strictObject({ lane: Lane, reason: z.string() });
export type Route = z.infer<typeof Route>;

/** An effective limit and what set it: a variable, the tenant, or the request. Null is unlimited. */
export const AppliedLimit = z.strictObject({ value: z.number().nullable(), setBy: z.string() });
export type AppliedLimit = z.infer<typeof AppliedLimit>;

/** The answer of `POST /v1/run`, and what `done` carries. */
export const RunResult = z.strictObject({
  id: z.string(),
  jobId: z.string().nullable(),
  lane: Lane,
  route: Route,
  executor: z.string().nullable(),
  outcome: Outcome,
  certainty: Certainty,
  retrySafe: z.boolean(),
  /** What the run gave, as `encoding` says; null where it gave nothing. */
  value: z.unknown(),
  encoding: Encoding.nullable(),
  stdout: z.string(),
  stderr: z.string(),
  console: z.array(ConsoleLine),
  exitCode: z.number().int().nullable(),
  signal: z.string().nullable(),
  error: RunError.nullable(),
  truncated: Truncation.nullable(),
  artifacts: z.array(ContainerArtifact),
  /** Files of a container that matched and were not kept, each with why. */
  artifactsLeft: ContainerResult.shape.artifactsLeft.optional(),
  usage: z.strictObject({
    queueMs: z.number(),
    wallMs: z.number(),
    cpuMs: z.number(),
    memoryPeakBytes: z.number(),
    fetches: z.number(),
    /** Of a container: from the order to the first instruction, and from the decision to end it to the proof. */
    startMs: z.number().optional(),
    killMs: z.number().nullable().optional(),
  }),
  limits: z.record(z.string(), AppliedLimit),
});
export type RunResult = z.infer<typeof RunResult>;

/** The answer of `POST /v1/run?dry_run=true`: what would happen. */
export const DryRunAnswer = z.strictObject({
  dryRun: z.literal(true),
  lane: Lane,
  route: Route,
  /** null on lanes that have only one. */
  isolation: Isolation.nullable(),
  limits: z.record(z.string(), AppliedLimit),
  permissions: z.strictObject({ net: z.array(z.string()) }),
  admission: z.strictObject({
    admitted: z.boolean(),
    problem: z.looseObject({ code: z.string(), detail: z.string() }).nullable(),
  }),
});
export type DryRunAnswer = z.infer<typeof DryRunAnswer>;

/** One event of a streamed run. Numbered from 1 without gaps; `done` comes once, last. */
export const RunEvent = z.discriminatedUnion("type", [
  z.strictObject({
    seq: z.number(),
    type: z.literal("started"),
    at: z.string(),
    runId: z.string(),
  }),
  z.strictObject({
    seq: z.number(),
    type: z.literal("console"),
    at: z.string(),
    level: ConsoleLine.shape.level,
    stream: ConsoleLine.shape.stream,
    atMs: z.number(),
    text: z.string(),
  }),
  z.strictObject({ seq: z.number(), type: z.literal("done"), at: z.string(), result: RunResult }),
]);
export type RunEvent = z.infer<typeof RunEvent>;
