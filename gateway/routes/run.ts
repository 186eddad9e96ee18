import type { Context } from "hono";
import { Hono } from "hono";

import type { LimitReport, Settlement } from "../../protocol/admission.ts";
import { base32 } from "../../protocol/api-key.ts";
import { type Failure, FailureError, toProblem } from "../../protocol/failure.ts";
import { fail, ok, type Result } from "../../protocol/result.ts";
import type { DryRunAnswer } from "../../protocol/run-result.ts";
import type { RunOrder } from "../../protocol/sandbox-api.ts";
import type { TenantPolicy } from "../../protocol/tenant.ts";
import {
  answerWithEvents,
  answerWithJson,
  type Escalate,
  type LastStep,
  observed,
} from "../answer/isolate-run.ts";
import { tellRates } from "../answer/job-answer.ts";
import { runFormatOf } from "../answer/run-format.ts";
import type { AppEnv } from "../app-env.ts";
import type { Config } from "../config.ts";
import type { Principal } from "../identity/tenant-gate.ts";
import { draftInContainer, draftOf } from "../jobs/read-draft.ts";
import { resultOfJob, runAsJob } from "../jobs/run-job.ts";
import { totalBoundMs } from "../lanes/isolate.ts";
import { authenticate, requireScope } from "../middleware/authenticate.ts";
import type { Envelope } from "../request/envelope.ts";
import { type IsolatePlan, planIsolateRun } from "../request/isolate-plan.ts";
import { splitJobOptions } from "../request/job-options.ts";
import { isForContainers } from "../request/job-plan.ts";
import { readJsonBody } from "../request/json-body.ts";
import { type RoutedRequest, routeRequest } from "../request/lane-choice.ts";
import { warmAffinity } from "../request/warm-affinity.ts";

/** What was asked for, before any tenant's limits were looked at. */
interface ReadRequest {
  readonly routed: RoutedRequest;
  readonly envelope: Envelope;
}

/** A request ready to run, and where. */
interface PlannedRun {
  readonly routed: Extract<RoutedRequest, { lane: "isolate" }>;
  readonly plan: IsolatePlan;
}

/** What admission said; `refusal` where the limits, not the caller's rights, said no. */
interface Admitted {
  readonly planned: Result<PlannedRun>;
  readonly refusal: Failure | undefined;
  readonly reports: readonly LimitReport[];
}

export const run = new Hono<AppEnv>();

run.post("/v1/run", authenticate, async (c) => {
  const principal = c.get("principal");
  requireScope(principal, "run");
  const runId = `run_${base32(crypto.getRandomValues(new Uint8Array(16)))}`;
  const isDryRun = c.req.query("dry_run") === "true";

  const envelope = await readJsonBody(c);
  if (envelope.ok && isForJob(c, envelope.value)) {
    return runAsJob(c, await draftOf(c, envelope.value));
  }
  const read = envelope.ok ? routeEnvelope(envelope.value) : envelope;
  if (read.ok && read.value.routed.lane === "container") {
    return runAsJob(c, await draftOf(c, read.value.envelope));
  }
  const admission = await admit(c, principal, read, runId, isDryRun);
  if (!admission.ok) throw new FailureError(admission.failure);
  const { planned, refusal, reports } = admission.value;
  if (planned.ok && !isDryRun && refusal === undefined) {
    return runIsolate(c, principal, runId, planned.value, reports);
  }
  tellRates(c, reports);
  if (!planned.ok) {
    const { failure } = planned;
    if (read.ok && isForContainers(read.value.routed, failure)) {
      return runAsJob(c, await draftOf(c, read.value.envelope));
    }
    throw new FailureError(failure);
  }
  if (isDryRun || refusal === undefined) return c.json(explanationOf(planned.value, refusal));
  throw new FailureError(refusal);
});

/** A request that is to survive its client, or says how it queues, is a job on whatever lane. */
const isForJob = (c: Context<AppEnv>, { fields }: Envelope): boolean =>
  c.req.raw.headers.has("Idempotency-Key") || splitJobOptions(fields).options !== undefined;

/** Reads a body as far as it can be without knowing its tenant. */
function routeEnvelope(envelope: Envelope): Result<ReadRequest> {
  const routed = routeRequest(envelope.fields);
  return routed.ok ? ok({ routed: routed.value, envelope }) : routed;
}

/** How often a request is planned again because its tenant's overrides changed meanwhile. */
const PLANS_MAX = 3;

/**
 * Plans a request with its tenant's overrides and asks for its admission: one call, unless the
 * overrides changed since this isolate last heard of them. What cannot run takes nothing, yet its
 * caller's rights are checked, and its limits told, all the same.
 */
async function admit(
  c: Context<AppEnv>,
  principal: Principal,
  read: Result<ReadRequest>,
  runId: string,
  isDryRun: boolean,
): Promise<Result<Admitted>> {
  const { gate, config } = c.get("services");
  for (let round = 0; round < PLANS_MAX; round++) {
    const policy = gate.policy(principal.tenant);
    const planned = read.ok ? plan(read.value, policy, config) : read;
    const answer = await gate.admit(principal, policy, {
      scope: "run",
      lane: read.ok ? read.value.routed.lane : "isolate",
      runId,
      leaseMs: planned.ok ? leaseMsOf(planned.value.plan, config) : 0,
      mode: planned.ok && !isDryRun ? "take" : "look",
    });
    if (!answer.ok) return answer;
    const { value } = answer;
    switch (value.kind) {
      case "policy_changed":
        continue;
      case "unchecked":
        return ok({ planned, refusal: undefined, reports: [] });
      case "admitted":
        return ok({ planned, refusal: undefined, reports: value.reports });
      case "refused": {
        const { failure, reports } = value;
        const isAboutRights = failure.code === "unauthenticated" || failure.code === "forbidden";
        return isAboutRights ? fail(failure) : ok({ planned, refusal: failure, reports });
      }
    }
  }
  return fail({ code: "policy_unavailable", retryAfterMs: 1_000 });
}

function plan(
  { routed, envelope }: ReadRequest,
  policy: TenantPolicy,
  config: Config,
): Result<PlannedRun> {
  if (routed.lane !== "isolate") {
    const { lane, reason } = routed.route;
    return fail({
      code: "lane_unavailable",
      lane,
      reason: `it is not part of this service yet, and ${reason}`,
    });
  }
  const planned = planIsolateRun(routed.request, envelope.inputJson, policy, config);
  return planned.ok ? ok({ routed, plan: planned.value }) : planned;
}

/** A place is held for longer than its run can last, so that it never comes free too early. */
const leaseMsOf = ({ caps }: IsolatePlan, { leaseMs }: Config): number =>
  Math.max(leaseMs, totalBoundMs(caps.wallMs));

/** What would happen to a request, without it happening. */
function explanationOf(
  { routed, plan: { isolation, limits, net } }: PlannedRun,
  refusal: Failure | undefined,
): DryRunAnswer {
  return {
    dryRun: true,
    lane: routed.lane,
    route: routed.route,
    isolation,
    limits,
    permissions: { net: [...net] },
    admission: {
      admitted: refusal === undefined,
      problem: refusal === undefined ? null : toProblem(refusal),
    },
  };
}

async function runIsolate(
  c: Context<AppEnv>,
  principal: Principal,
  runId: string,
  { routed, plan }: PlannedRun,
  reports: readonly LimitReport[],
): Promise<Response> {
  const { gate, isolates } = c.get("services");
  const { tenant, keyId } = principal;
  const format = runFormatOf(c);
  const order: RunOrder = {
    runId,
    tenant,
    tenantMaxConcurrent: plan.maxConcurrent,
    isolation: plan.isolation,
    caps: plan.caps,
    net: [...plan.net],
    stream: format.kind === "stream",
    affinity: await warmAffinity(tenant, plan),
  };
  const settle = (end: Pick<Settlement, "cpuMs" | "wallMs" | "refunded">): void =>
    gate.settle(tenant, { runId, keyId, lane: "isolate", ...end }, c.executionCtx);

  const started = await isolates.start(order, plan.work, c.req.raw.signal);
  // Only now: writing them takes no time from a run that is under way.
  tellRates(c, reports);
  if (!started.ok) {
    // A client that leaves pays its turn all the same, or it could have work compiled for nothing.
    settle({ cpuMs: 0, wallMs: 0, refunded: !c.req.raw.signal.aborted });
    throw new FailureError(started.failure);
  }
  // A client that leaves takes its request with it; the run's end must be told all the same.
  const over = Promise.withResolvers<null>();
  c.executionCtx.waitUntil(over.promise);
  const observedRun = observed(started.value, (step) => {
    settle(settledAs(step));
    over.resolve(null);
  });
  c.req.raw.signal.addEventListener("abort", () => observedRun.cancel(), { once: true });

  const facts = {
    runId,
    route: routed.route,
    executor: started.value.executor,
    plan,
    laneIsOpen: routed.request.lane === "auto",
  };
  const draftFor = (reason: string) =>
    draftInContainer(c, routed.request, plan.work.inputJson, reason);
  const escalate: Escalate = (reason, clientLeft) =>
    resultOfJob(c.get("services"), principal, draftFor(reason), clientLeft);
  const answer =
    format.kind === "json"
      ? await answerWithJson(facts, observedRun, escalate)
      : await answerWithEvents(facts, observedRun, format.format, escalate);
  if (!answer.ok) {
    const { failure } = answer;
    if (failure.code !== "lane_unavailable") throw new FailureError(failure);
    return runAsJob(c, draftFor(failure.reason));
  }
  c.header("Content-Type", format.kind === "json" ? "application/json" : format.format.contentType);
  c.header("Cache-Control", "no-store, no-transform");
  // A run wrote part of this: nobody's browser is to take it for a page of ours.
  c.header("Content-Security-Policy", "sandbox; default-src 'none'");
  return c.body(answer.value);
}

/** Work that could not be linked counts as a run: it had to be compiled to be found out. */
function settledAs(step: LastStep): Pick<Settlement, "cpuMs" | "wallMs" | "refunded"> {
  if ("unlinkable" in step || "lost" in step) return { cpuMs: 0, wallMs: 0, refunded: false };
  const { cpuMs, wallMs } = step.end.usage;
  return { cpuMs, wallMs, refunded: false };
}
