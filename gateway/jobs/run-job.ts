import type { Context } from "hono";

import type { Failure } from "../../protocol/failure.ts";
import { FailureError, toProblem } from "../../protocol/failure.ts";
import { isTerminal, type JobSummary } from "../../protocol/job.ts";
import { fail, type Result } from "../../protocol/result.ts";
import type { DryRunAnswer } from "../../protocol/run-result.ts";
import { answerJob, answerResult, jobPath, sandboxed, tellRates } from "../answer/job-answer.ts";
import { answerJobStream } from "../answer/job-stream.ts";
import { runFormatOf } from "../answer/run-format.ts";
import { NDJSON } from "../answer/run-stream.ts";
import { unwrap } from "../answer/unwrap.ts";
import type { AppEnv } from "../app-env.ts";
import type { Principal } from "../identity/tenant-gate.ts";
import type { Services } from "../services.ts";
import { type FullJob, jobText, readJob } from "./job-view.ts";
import { isAboutRights, type JobDraft, submitJobs } from "./submit-jobs.ts";
import { waitForJob } from "./wait-for-job.ts";

/**
 * Runs a request as a job that the caller waits for, or whose events it is told as they come.
 *
 * A client that leaves ends the job, unless it sent an `Idempotency-Key`: then it means to come
 * back. One that waits for longer than answers may is told where to follow the job, which goes on.
 */
export async function runAsJob(c: Context<AppEnv>, draft: Result<JobDraft>): Promise<Response> {
  if (c.req.query("dry_run") === "true") return explain(c, draft);
  const principal = c.get("principal");
  const { tenant } = principal;
  const submitted = unwrap(await submitJobs(c.get("services"), principal, [draft]));
  tellRates(c, submitted.reports);
  const [answer] = submitted.answers;
  if (answer?.kind !== "accepted") throw new FailureError(answer?.failure ?? { code: "internal" });
  const { job, replayed } = answer;
  if (replayed) c.header("Idempotent-Replayed", "true");
  c.header("Location", jobPath(job.id));
  const onLeave = draft.ok && draft.value.idempotency === null ? "cancel" : "nothing";
  const format = runFormatOf(c);
  if (format.kind === "json") return answerWhenOver(c, job, onLeave);
  return answerJobStream(c, tenant, job, {
    after: 0,
    format: format.format === NDJSON ? "ndjson" : "sse",
    onLeave,
  });
}

/**
 * Runs a job to its end for an answer that has begun: its result as JSON text, or undefined where
 * it could not be run. `clientLeft` ends it.
 */
export async function resultOfJob(
  services: Services,
  principal: Principal,
  draft: Result<JobDraft>,
  clientLeft: AbortSignal,
): Promise<string | undefined> {
  const { tenant } = principal;
  const { jobs } = services;
  const submitted = await submitJobs(services, principal, [draft]);
  const answer = submitted.ok ? submitted.value.answers[0] : undefined;
  if (answer?.kind !== "accepted") return undefined;
  await waitForJob(jobs, tenant, answer.job.id, { onLeave: "cancel", clientLeft });
  const over = await readJob(jobs, tenant, answer.job.id);
  return over.ok ? (over.value.details.resultText ?? undefined) : undefined;
}

async function answerWhenOver(
  c: Context<AppEnv>,
  job: JobSummary,
  onLeave: "cancel" | "nothing",
): Promise<Response> {
  const { jobs, config } = c.get("services");
  const { tenant } = c.get("principal");
  if (!isTerminal(job.state)) {
    const clientLeft = c.req.raw.signal;
    unwrap(
      await waitForJob(jobs, tenant, job.id, { forMs: config.runWaitMaxMs, onLeave, clientLeft }),
    );
  }
  const now = unwrap(await readJob(jobs, tenant, job.id));
  const { resultText } = now.details;
  if (!isTerminal(now.summary.state)) {
    return onLeave === "cancel" ? answerAbandonable(c, now) : answerJob(c, now, 202);
  }
  return resultText === null ? answerJob(c, now, 200) : answerResult(c, resultText);
}

/** A closed connection says so at the second write at the earliest, this long after the first. */
const NOTICE_MS = 100;

/**
 * Tells that a job goes on, in two writes: a client that left while it waited is noticed by the
 * second, as nothing was written before, and its job is cancelled.
 */
function answerAbandonable(c: Context<AppEnv>, job: FullJob): Response {
  const { jobs } = c.get("services");
  const { tenant } = c.get("principal");
  const told = Promise.withResolvers<null>();
  c.executionCtx.waitUntil(told.promise);
  const body = new ReadableStream<Uint8Array>({
    async start(controller) {
      const encoder = new TextEncoder();
      controller.enqueue(encoder.encode(" "));
      await new Promise((resolve) => setTimeout(resolve, NOTICE_MS));
      try {
        controller.enqueue(encoder.encode(jobText(job)));
        controller.close();
      } catch (error) {
        // The client has gone meanwhile: `cancel` sees to the job.
        if (!(error instanceof TypeError)) throw error;
        return;
      }
      told.resolve(null);
    },
    async cancel() {
      await jobs.cancel(tenant, job.summary.id, "its client has left");
      told.resolve(null);
    },
  });
  sandboxed(c);
  c.header("Content-Type", "application/json");
  return c.body(body, 202);
}

/** How often a job is planned again because its tenant's overrides changed meanwhile. */
const PLANS_MAX = 3;

/** What would happen to a request, without it happening. */
async function explain(c: Context<AppEnv>, draft: Result<JobDraft>): Promise<Response> {
  const { gate } = c.get("services");
  const principal = c.get("principal");
  for (let round = 0; round < PLANS_MAX; round++) {
    const policy = gate.policy(principal.tenant);
    const planned = draft.ok ? await draft.value.plan(policy) : draft;
    const lane = planned.ok ? planned.value.spec.work.lane : "container";
    const look = { scope: "run", lane, runId: "dry", leaseMs: 0, mode: "look" } as const;
    const answer = unwrap(await gate.admit(principal, policy, look));
    if (answer.kind === "policy_changed") continue;
    const refusal = answer.kind === "refused" ? answer.failure : undefined;
    if (refusal !== undefined && isAboutRights(refusal)) throw new FailureError(refusal);
    if (answer.kind !== "unchecked") tellRates(c, answer.reports);
    const { spec, net } = unwrap(planned);
    const { route, limits, work } = spec;
    const told: DryRunAnswer = {
      dryRun: true,
      lane,
      route,
      isolation: work.lane === "isolate" ? work.order.isolation : null,
      limits: { ...limits },
      permissions: { net: [...net] },
      admission: admissionOf(refusal),
    };
    return c.json(told);
  }
  return unwrap(fail({ code: "policy_unavailable", retryAfterMs: 1_000 }));
}

/** A job that finds its tenant's places taken waits for one; it is not refused. */
function admissionOf(refusal: Failure | undefined): DryRunAnswer["admission"] {
  if (refusal === undefined || refusal.code === "concurrency_limited") {
    return { admitted: true, problem: null };
  }
  return { admitted: false, problem: toProblem(refusal) };
}
