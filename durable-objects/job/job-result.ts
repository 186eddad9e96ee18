import { totalBoundMs } from "../../gateway/lanes/isolate.ts";
import type { ContainerResult, OrderRefusal } from "../../protocol/container-api.ts";
import { type Certainty, isRetrySafe } from "../../protocol/outcome.ts";
import { resultJson, type UnparsedResult } from "../../protocol/result-text.ts";
import type { ExecutorResult, Unlinkable } from "../../protocol/sandbox-api.ts";
import type { JobIdentity, JobSpec, QueueEnd } from "../job-contract.ts";
import { type Attempt, certaintyOf, type Loss, type RunEnd } from "./job-state.ts";

/** A run's end, and its result's text. */
export interface EndedRun {
  readonly end: Extract<RunEnd, { kind: "result" }>;
  readonly text: string;
}

/** What is known of a run whatever its end; `spec` is undefined where it could not be read. */
export interface RunFacts {
  readonly identity: JobIdentity;
  readonly spec: Pick<JobSpec, "route" | "limits" | "reachesOutside"> | undefined;
  readonly attempt: Attempt;
}

/** A file that was told and could not be kept. */
export interface UnkeptArtifact {
  readonly path: string;
  readonly reason: string;
}

/** The result of a run in a container that its executor saw to its end. */
export function containerEnd(
  facts: RunFacts,
  result: ContainerResult,
  unkept: readonly UnkeptArtifact[],
): EndedRun {
  const { started, outcome, certainty, valueJson, usage } = result;
  const unkeptPaths = new Set(unkept.map(({ path }) => path));
  return endOf(
    {
      ...common(facts, started),
      outcome,
      certainty,
      valueJson,
      encoding: valueJson === null ? null : "json",
      stdout: result.stdout,
      stderr: result.stderr,
      exitCode: result.exitCode,
      signal: result.signal,
      error: result.error,
      truncated: result.truncated,
      artifacts: result.artifacts.filter(({ path }) => !unkeptPaths.has(path)),
      artifactsLeft: [...result.artifactsLeft, ...unkept],
      usage: { queueMs: facts.attempt.queueMs, fetches: 0, ...usage },
    },
    outcome === "infra_lost",
  );
}

/** The result of a run in an isolate that its executor saw to its end. */
export function isolateEnd(facts: RunFacts, result: ExecutorResult): EndedRun {
  const { started, outcome, certainty, valueJson, encoding, error, usage } = result;
  return endOf(
    {
      ...common(facts, started),
      outcome,
      certainty,
      valueJson,
      encoding,
      stdout: result.stdout,
      stderr: result.stderr,
      console: result.console,
      error,
      truncated: result.truncated,
      usage: { ...usage, queueMs: facts.attempt.queueMs + usage.queueMs },
    },
    outcome === "infra_lost",
  );
}

/** The result of a module that isolates cannot link. */
export function unlinkableEnd(facts: RunFacts, { specifier, importer }: Unlinkable): EndedRun {
  // Both are the tenant's text, so they are cut.
  const message = `Cannot link "${specifier.slice(0, 200)}", imported by "${importer.slice(0, 200)}": isolates have no such module`;
  return failedBeforeStart(facts, "TypeError", message);
}

/** `image_missing` is told as `ImageMissing`. */
const errorNameOf = (code: string): string =>
  code.replace(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase());

/** The result of an order that its executor can never run. */
export const refusedEnd = (facts: RunFacts, refusal: OrderRefusal): EndedRun =>
  failedBeforeStart(facts, errorNameOf(refusal.code), refusal.detail);

/** The result of a run that failed before anything of it ran. */
export function failedBeforeStart(facts: RunFacts, name: string, message: string): EndedRun {
  const error = { name, message, stack: null };
  return endOf({ ...common(facts, false), outcome: "failed", error }, false);
}

/** The result of a run that was cancelled where its executor could tell no more of it. */
export function cancelledEnd(
  facts: RunFacts,
  reason: string,
  known: { readonly certainty: Certainty; readonly started: boolean },
): EndedRun {
  const error = { name: "Cancelled", message: reason, stack: null };
  const { certainty, started } = known;
  return endOf({ ...common(facts, started), outcome: "cancelled", certainty, error }, false);
}

/** The result of a run that the platform lost. */
export function lostEnd(facts: RunFacts, loss: Loss, started = true): EndedRun {
  const message = `Cannot say how the run ended: ${lossReason(loss)}`;
  const error = { name: "InfraLost", message, stack: null };
  const certainty = certaintyOf(loss);
  return endOf({ ...common(facts, started), outcome: "infra_lost", certainty, error }, true);
}

/** The result of a job that ended while it waited. */
export function queueEndText(
  { identity, state, reason, at }: QueueEnd,
  spec: RunFacts["spec"],
  lastEpoch: number,
): string {
  const outcome = ({ cancelled: "cancelled", expired: "expired", dead: "infra_lost" } as const)[
    state
  ];
  const name = { cancelled: "Cancelled", expired: "Expired", dead: "InfraLost" }[state];
  const queueMs = Math.max(0, at - identity.createdAt);
  const executor = { name: "", url: "" };
  const { jobId, lane } = identity;
  const attempt = { epoch: lastEpoch, runId: jobId, lane, executor, at, queueMs };
  const result = common({ identity, spec, attempt }, lastEpoch > 0);
  return resultJson({
    ...result,
    executor: null,
    outcome,
    certainty: state === "dead" ? "unknown" : "certain",
    error: { name, message: reason, stack: null },
  });
}

/** A lost run's result as a dead job tells it: what its runs came to is not known. */
export function deadText(lostText: string): string {
  const result = JSON.parse(lostText) as object;
  return JSON.stringify({ ...result, certainty: "unknown" });
}

/** When a run in an isolate is over for sure, though nobody could see it. */
export const isolateOverAt = (attempt: Attempt, wallMs: number): number =>
  attempt.at + totalBoundMs(wallMs);

function endOf(result: UnparsedResult, lost: boolean): EndedRun {
  const { outcome, certainty, usage } = result;
  const { cpuMs, wallMs } = usage;
  return {
    end: { kind: "result", outcome, certainty, cpuMs, wallMs, lost },
    text: resultJson(result),
  };
}

function common({ identity, spec, attempt }: RunFacts, started: boolean): UnparsedResult {
  const reachesOutside = spec?.reachesOutside ?? true;
  return {
    id: attempt.runId,
    jobId: identity.jobId,
    lane: identity.lane,
    route: spec?.route ?? { lane: identity.lane, reason: "" },
    executor: attempt.executor.name,
    outcome: "ok",
    certainty: "certain",
    retrySafe: isRetrySafe({ started, reachesOutside }),
    valueJson: null,
    encoding: null,
    stdout: "",
    stderr: "",
    console: [],
    exitCode: null,
    signal: null,
    error: null,
    truncated: null,
    artifacts: [],
    usage: { queueMs: attempt.queueMs, wallMs: 0, cpuMs: 0, memoryPeakBytes: 0, fetches: 0 },
    limits: spec?.limits ?? {},
  };
}

function lossReason(loss: Loss): string {
  switch (loss.kind) {
    case "unknown_there":
      return "its executor no longer knows it, and nothing of it runs";
    case "unreachable":
      return "its executor vanished";
    case "silent":
      return `its executor said nothing for ${loss.limitMs} ms`;
    case "overdue":
      return `it went on for more than ${loss.limitMs} ms, and was killed`;
    case "unusable":
      return loss.reason;
  }
}
