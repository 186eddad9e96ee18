import type { JobSpec } from "../../durable-objects/job-contract.ts";
import type { Failure } from "../../protocol/failure.ts";
import type { Lane } from "../../protocol/outcome.ts";
import { fail, ok, type Result } from "../../protocol/result.ts";
import type { ContainerRequest, ScriptRequest } from "../../protocol/run-request.ts";
import type { AppliedLimit } from "../../protocol/run-result.ts";
import type { TenantPolicy } from "../../protocol/tenant.ts";
import type { Config } from "../config.ts";
import { planContainerRun } from "./container-plan.ts";
import { planIsolateRun } from "./isolate-plan.ts";
import type { RoutedRequest } from "./lane-choice.ts";
import { warmAffinity } from "./warm-affinity.ts";

/** A job's lane and all that it will do, decided before it is submitted. */
export interface PlannedJob {
  readonly spec: JobSpec;
  readonly net: readonly string[];
}

/** What a plan is made of beside the request itself. */
export interface PlanGround {
  readonly tenant: string;
  readonly policy: TenantPolicy;
  readonly config: Config;
}

/**
 * Decides what a job does and within what.
 *
 * A script whose lane was left open and that asks for more than isolates may have goes to a
 * container, if that may have as much.
 */
export async function planJob(
  routed: RoutedRequest,
  inputJson: string | null,
  ground: PlanGround,
): Promise<Result<PlannedJob>> {
  switch (routed.lane) {
    case "isolate": {
      const specifier = routed.request.lane === "auto" ? foreignImport(routed.request) : undefined;
      if (specifier !== undefined) {
        const reason = `it imports "${specifier}", which isolates do not have`;
        return planInContainer(routed.request, inputJson, ground, reason);
      }
      const planned = await planIsolateJob(routed, inputJson, ground);
      if (planned.ok || !isForContainers(routed, planned.failure)) return planned;
      const reason = aboveIsolates(planned.failure);
      const escalated = planInContainer(routed.request, inputJson, ground, reason);
      // Where containers have no more to give, theirs is the maximum to know.
      const isTelling = escalated.ok || escalated.failure.code === "limit_out_of_range";
      return isTelling ? escalated : planned;
    }
    case "container":
      return planContainerJob(routed, inputJson, ground);
    case "browser":
      return fail(notBuilt(routed.lane, routed.route.reason));
  }
}

const FOREIGN_IMPORT = /\b(?:from|import)\s*\(?\s*["']((?:node|npm):[^"'\n]{1,100})["']/;

/**
 * What a script seems to import that only containers have. A job's lane is chosen for good when it
 * is submitted, so this looks at the text alone: what only looks like an import costs a container.
 */
const foreignImport = ({ code, modules }: ScriptRequest): string | undefined =>
  [code, ...Object.values(modules)]
    .map((source) => FOREIGN_IMPORT.exec(source)?.[1])
    .find((specifier) => specifier !== undefined);

type AboveMaximum = Extract<Failure, { code: "limit_out_of_range" }>;

/** Whether a script whose lane was left open asks for more than isolates may have: a container may have it. */
export function isForContainers(routed: RoutedRequest, failure: Failure): failure is AboveMaximum {
  if (routed.lane !== "isolate" || routed.request.lane !== "auto") return false;
  return failure.code === "limit_out_of_range" && failure.bound === "maximum";
}

const aboveIsolates = ({ limit, asked, allowed }: AboveMaximum): string =>
  `${limit} ${asked} is above the isolate lane's maximum of ${allowed}`;

/** Plans a script for the container lane, for a reason found out on its way to an isolate. */
export function planInContainer(
  script: ScriptRequest,
  inputJson: string | null,
  ground: PlanGround,
  reason: string,
): Result<PlannedJob> {
  const only = (["request", "isolation"] as const).find((name) => script[name] !== undefined);
  if (only !== undefined) {
    const message = `is for isolates alone, and ${reason}`;
    return fail({ code: "malformed_request", issues: [{ path: only, message }] });
  }
  const { language, code, modules, limits, permissions, env } = script;
  const lane = "container";
  const request: ContainerRequest = {
    lane,
    language,
    code,
    modules,
    limits,
    permissions,
    env,
  };
  return planContainerJob({ lane, route: { lane, reason }, request }, inputJson, ground);
}

async function planIsolateJob(
  { route, request }: Extract<RoutedRequest, { lane: "isolate" }>,
  inputJson: string | null,
  { tenant, policy, config }: PlanGround,
): Promise<Result<PlannedJob>> {
  const planned = planIsolateRun(request, inputJson, policy, config);
  if (!planned.ok) return planned;
  const { isolation, caps, limits, net, maxConcurrent, work } = planned.value;
  const order = {
    tenant,
    tenantMaxConcurrent: maxConcurrent,
    isolation,
    caps,
    net: [...net],
    affinity: await warmAffinity(tenant, planned.value),
  };
  return ok({
    spec: {
      work: { lane: "isolate", order, work },
      route,
      limits: { ...limits } satisfies Record<string, AppliedLimit>,
      reachesOutside: net.length > 0,
    },
    net,
  });
}

function planContainerJob(
  { route, request }: Extract<RoutedRequest, { lane: "container" }>,
  inputJson: string | null,
  { tenant, policy, config }: PlanGround,
): Result<PlannedJob> {
  if (config.containerUrls.length === 0) return fail(notBuilt("container", route.reason));
  const planned = planContainerRun(tenant, request, inputJson, policy, config);
  if (!planned.ok) return planned;
  const { work, limits, net, reachesOutside } = planned.value;
  return ok({ spec: { work, route, limits: { ...limits }, reachesOutside }, net });
}

const notBuilt = (lane: Lane, reason: string): Failure => ({
  code: "lane_unavailable",
  lane,
  reason: `it is not part of this service, and ${reason}`,
});
