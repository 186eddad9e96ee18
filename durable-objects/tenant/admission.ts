import type { QuotaPolicy, RatePolicy } from "../../gateway/config.ts";
import type { AdmissionRequest, LimitReport } from "../../protocol/admission.ts";
import type { Failure } from "../../protocol/failure.ts";
import { hasPlace } from "./concurrency.ts";
import { quotaStates, untilNextDayMs, type UsedToday } from "./quota.ts";
import { type RateDecision, takeRate } from "./rate-limit.ts";

/** A rate limit with where it stands. */
interface RateStanding {
  readonly tat: number;
  readonly policy: RatePolicy;
}

/** All that one admission is decided on. */
export interface Standing {
  /** The key's own rate, where it has one. */
  readonly key: RateStanding | undefined;
  readonly tenant: RateStanding;
  readonly held: number;
  readonly maxConcurrent: number;
  readonly used: UsedToday;
  readonly quota: QuotaPolicy;
}

/** The decision, with the rate limits' states to keep. */
export interface Verdict {
  readonly failure: Failure | undefined;
  readonly keyTat: number | undefined;
  readonly tenantTat: number;
  readonly reports: readonly LimitReport[];
}

/** When to ask again where nobody can know when a run under way will end. */
const PLACE_RETRY_MS = 1_000;

/**
 * Decides one request against every limit of its tenant at once: either each of them lets it in
 * and is charged, or none is charged. `look` decides the same and charges nothing.
 */
export function decideAdmission(
  standing: Standing,
  cost: number,
  now: number,
  mode: AdmissionRequest["mode"],
): Verdict {
  const { key, tenant, held, maxConcurrent } = standing;
  const keyRate = key === undefined ? undefined : takeRate(key.tat, now, key.policy, cost);
  const tenantRate = takeRate(tenant.tat, now, tenant.policy, cost);
  const quotas = quotaStates(standing.used, standing.quota);
  const spent = quotas.find(({ remaining }) => remaining === 0);

  const failure =
    (keyRate === undefined ? undefined : rateFailure("key", keyRate)) ??
    rateFailure("tenant", tenantRate) ??
    (hasPlace(held, maxConcurrent)
      ? undefined
      : ({
          code: "concurrency_limited",
          limit: maxConcurrent,
          retryAfterMs: PLACE_RETRY_MS,
        } as const)) ??
    (spent === undefined
      ? undefined
      : ({
          code: "quota_exceeded",
          policy: spent.name,
          retryAfterMs: untilNextDayMs(now),
        } as const));

  const takes = failure === undefined && mode === "take";
  const reports: LimitReport[] = [];
  if (key !== undefined && keyRate !== undefined) {
    reports.push(rateReport("key", key, keyRate, takes, now));
  }
  reports.push(rateReport("tenant", tenant, tenantRate, takes, now));
  if (maxConcurrent > 0) {
    const free = Math.max(0, maxConcurrent - held - (takes ? 1 : 0));
    reports.push({
      name: "concurrency",
      quota: maxConcurrent,
      windowS: null,
      burst: null,
      unit: "concurrent-requests",
      remaining: free,
      moreInS: null,
    });
  }
  for (const { name, limit, remaining } of quotas) {
    const isRuns = name === "runs-per-day";
    reports.push({
      name,
      quota: limit,
      windowS: 86_400,
      burst: null,
      unit: isRuns ? "requests" : "cpu-milliseconds",
      remaining: isRuns && takes ? remaining - 1 : remaining,
      moreInS: Math.ceil(untilNextDayMs(now) / 1000),
    });
  }
  return {
    failure,
    keyTat: key && keyRate && keptTat(key, keyRate, takes),
    tenantTat: keptTat(tenant, tenantRate, takes),
    reports: mostRestrictiveFirst(reports, violatedBy(failure)),
  };
}

function rateFailure(name: "key" | "tenant", decision: RateDecision): Failure | undefined {
  switch (decision.kind) {
    case "allowed":
      return undefined;
    case "limited":
      return { code: "rate_limited", policy: name, retryAfterMs: decision.retryAfterMs };
    case "never":
      return {
        code: "misconfigured",
        detail: `Cannot ever admit the request: it costs more than the burst of the ${name}'s rate limit`,
      };
  }
}

function keptTat(standing: RateStanding, decision: RateDecision, takes: boolean): number {
  if (decision.kind === "limited") return decision.tat;
  return decision.kind === "allowed" && takes ? decision.tat : standing.tat;
}

function rateReport(
  name: "key" | "tenant",
  { policy, tat }: RateStanding,
  decision: RateDecision,
  takes: boolean,
  now: number,
): LimitReport {
  const shown = takes || decision.kind === "limited" ? decision : takeRate(tat, now, policy, 0);
  const moreInMs =
    shown.kind === "limited" ? shown.retryAfterMs : shown.kind === "allowed" ? shown.nextMs : 0;
  return {
    name,
    quota: policy.requests,
    windowS: policy.windowS,
    burst: policy.burst,
    unit: "requests",
    remaining: shown.kind === "never" ? 0 : shown.remaining,
    moreInS: Math.ceil(moreInMs / 1000),
  };
}

function violatedBy(failure: Failure | undefined): string | undefined {
  if (failure?.code === "concurrency_limited") return "concurrency";
  const hasPolicy = failure?.code === "rate_limited" || failure?.code === "quota_exceeded";
  return hasPolicy ? failure.policy : undefined;
}

/** The limit that refused the request, then the others by how much is left. */
function mostRestrictiveFirst(
  reports: readonly LimitReport[],
  violated: string | undefined,
): readonly LimitReport[] {
  const rank = (report: LimitReport): number => (report.name === violated ? -1 : report.remaining);
  return reports.toSorted((a, b) => rank(a) - rank(b));
}
