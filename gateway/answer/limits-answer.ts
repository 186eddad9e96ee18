import { dayOf } from "../../durable-objects/tenant/quota.ts";
import type { TenantOverview } from "../../durable-objects/tenant/tenant.ts";
import {
  CONTAINER_LIMITS,
  type ContainerLimitValues,
  type EffectiveLimit,
  ISOLATE_LIMITS,
  type IsolateLimitValues,
  type LimitSpec,
} from "../../protocol/limits.ts";
import type { LimitAnswer, LimitsAnswer } from "../../protocol/tenant-answers.ts";
import type { Config } from "../config.ts";
import { allowedModes } from "../request/isolation.ts";
import { effectiveLimits, TENANT_OVERRIDE } from "../request/limits.ts";

/** Every limit of a tenant as it stands at `now`, and what set it. */
export function limitsAnswer(
  tenant: string,
  overview: TenantOverview,
  config: Config,
  now: number,
): LimitsAnswer {
  const { overrides } = overview.policy;
  const maxConcurrent = overrides.maxConcurrent ?? config.tenantMaxConcurrent;
  const today = dayOf(now);
  return {
    tenant,
    limits: [
      ...requestLimits(overview, config),
      ...fixedLimits(config),
      ...tenantLimits(overview, config),
    ],
    isolation: {
      allowed: [...allowedModes(config.isolate, overrides)],
      setBy: overrides.isolate?.modes === undefined ? "ISOLATION_MODES" : TENANT_OVERRIDE,
    },
    net: {
      allowed: overrides.net ?? null,
      setBy: overrides.net === undefined ? "Bulkhead" : TENANT_OVERRIDE,
    },
    rates: overview.reports.map((report) => ({ ...report })),
    concurrency: {
      underWay: overview.underWay,
      maximum: maxConcurrent === 0 ? null : maxConcurrent,
    },
    usageToday: overview.usage.filter(({ day }) => day === today),
  };
}

/** What a request may set, under the names it has there; a container's apart, as they are others. */
function requestLimits({ policy }: TenantOverview, config: Config): readonly LimitAnswer[] {
  const { isolate, container } = policy.overrides;
  return [
    ...told(
      "limits",
      ISOLATE_LIMITS,
      effectiveLimits<IsolateLimitValues>(ISOLATE_LIMITS, config.isolate.limits, isolate?.limits),
    ),
    ...told(
      "container.limits",
      CONTAINER_LIMITS,
      effectiveLimits<ContainerLimitValues>(
        CONTAINER_LIMITS,
        config.container.limits,
        container?.limits,
      ),
    ),
  ];
}

const told = <Name extends string>(
  prefix: string,
  specs: readonly LimitSpec<Name>[],
  effective: Readonly<Record<Name, EffectiveLimit>>,
): readonly LimitAnswer[] =>
  specs.map(({ name }) => {
    const { default: value, unit, maximum, setBy, maximumSetBy } = effective[name];
    return { name: `${prefix}.${name}`, value, unit, maximum, setBy, maximumSetBy };
  });

/** What is the same for every request of every tenant. */
function fixedLimits({
  isolate,
  container,
  bodyMaxBytes,
  runWaitMaxMs,
}: Config): readonly LimitAnswer[] {
  const { caps, sourceBytes, inputBytes } = isolate;
  const { outputFileBytes, artifactFiles, artifactBytes } = container.caps;
  return [
    fixed("body", bodyMaxBytes, "bytes", "BODY_MAX_BYTES"),
    fixed("source", sourceBytes, "bytes", "ISOLATE_SOURCE_BYTES"),
    fixed("input", inputBytes, "bytes", "ISOLATE_INPUT_BYTES"),
    fixed("result", caps.resultBytes, "bytes", "ISOLATE_RESULT_BYTES"),
    fixed("fetches", caps.fetches, "requests", "ISOLATE_FETCHES"),
    fixed("fetchMs", caps.fetchMs, "ms", "ISOLATE_FETCH_MS"),
    fixed("fetchBytes", caps.fetchBytes, "bytes", "ISOLATE_FETCH_BYTES"),
    fixed("pendingOps", caps.pendingOps, "operations", "ISOLATE_PENDING_OPS"),
    fixed("container.source", container.sourceBytes, "bytes", "CONTAINER_SOURCE_BYTES"),
    fixed("container.files", container.filesBytes, "bytes", "CONTAINER_FILES_BYTES"),
    fixed("container.outputFile", outputFileBytes, "bytes", "CONTAINER_OUTPUT_FILE_BYTES"),
    fixed("container.artifactFiles", artifactFiles, "files", "CONTAINER_ARTIFACT_FILES"),
    fixed("container.artifactBytes", artifactBytes, "bytes", "CONTAINER_ARTIFACT_BYTES"),
    fixed("wait", runWaitMaxMs, "ms", "RUN_WAIT_MAX_MS"),
  ];
}

function tenantLimits({ policy }: TenantOverview, config: Config): readonly LimitAnswer[] {
  const { rateLimit, maxConcurrent, quota } = policy.overrides;
  const rate = rateLimit ?? config.rateLimit;
  const by = (own: unknown, variable: string): string =>
    own === undefined ? variable : TENANT_OVERRIDE;
  const runs = quota?.runsPerDay;
  const cpuMs = quota?.cpuMsPerDay;
  const { runsPerDay, cpuMsPerDay } = config.quota;
  const concurrent = maxConcurrent ?? config.tenantMaxConcurrent;
  return [
    fixed(
      "rateLimit.requests",
      rate.requests,
      `requests per ${rate.windowS} s`,
      by(rateLimit, "RATE_LIMIT_REQUESTS"),
    ),
    fixed("rateLimit.burst", rate.burst, "requests", by(rateLimit, "RATE_LIMIT_BURST")),
    fixed(
      "concurrency",
      concurrent === 0 ? null : concurrent,
      "runs",
      by(maxConcurrent, "TENANT_MAX_CONCURRENT"),
    ),
    fixed(
      "quota.runsPerDay",
      runs === undefined ? (runsPerDay ?? null) : runs,
      "runs",
      by(runs, "QUOTA_RUNS_PER_DAY"),
    ),
    fixed(
      "quota.cpuMsPerDay",
      cpuMs === undefined ? (cpuMsPerDay ?? null) : cpuMs,
      "ms",
      by(cpuMs, "QUOTA_CPU_MS_PER_DAY"),
    ),
  ];
}

/** A limit that no request may change. */
const fixed = (name: string, value: number | null, unit: string, setBy: string): LimitAnswer => ({
  name,
  value,
  unit,
  maximum: value,
  setBy,
  maximumSetBy: setBy,
});
