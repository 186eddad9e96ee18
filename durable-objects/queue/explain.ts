import type { JobExplanation, JobSummary } from "../../protocol/job.ts";
import type { LaneState } from "../job-contract.ts";
import { iso, isOver, isQueued, isRunning, type JobRecord } from "./job-record.ts";

/** What a job's explanation is made of. */
export interface ExplainFacts {
  readonly job: JobRecord;
  readonly summary: JobSummary;
  readonly tenant: JobExplanation["tenant"];
  /** Null while the lane cannot be asked. */
  readonly lane: LaneState | null;
  readonly expiresAt: number | null;
}

/** Says why a job waits, or how it was decided. */
export function explain(facts: ExplainFacts, now: number): JobExplanation {
  const { summary, tenant, lane, expiresAt } = facts;
  const { waitsFor, decision } = reasonOf(facts, now);
  return {
    job: summary,
    decision,
    waitsFor,
    tenant,
    lane: lane && {
      slotsTaken: lane.slotsTaken,
      slots: lane.slots,
      backlog: lane.backlog,
      usualMs: lane.usualMs,
      executors: lane.executors.map(({ name, running }) => ({ name, running })),
    },
    expiresAt: expiresAt === null ? null : iso(expiresAt),
  };
}

type Reason = Pick<JobExplanation, "waitsFor" | "decision">;

function reasonOf({ job, summary, tenant, lane }: ExplainFacts, now: number): Reason {
  const { lane: laneName } = job.facts;
  if (isOver(job)) return { waitsFor: null, decision: overDecision(job, summary) };
  if (isRunning(job)) {
    const { executor } = job.phase.grant;
    const ending = job.phase.cancelReason === null ? "" : " and is being cancelled";
    return { waitsFor: null, decision: `It runs on ${executor.name}${ending}` };
  }
  if (isQueued(job) && job.phase.eligibleAt > now) {
    const at = iso(job.phase.eligibleAt);
    if (job.epoch === null) {
      return { waitsFor: "its_time", decision: `It waits for its notBefore, ${at}` };
    }
    return job.runs.length === 0
      ? { waitsFor: "an_executor", decision: `No executor took it; it is offered again at ${at}` }
      : { waitsFor: "a_retry", decision: `It waits until ${at} to run again` };
  }
  const position = summary.queue?.position ?? 1;
  const { running, maxConcurrency } = tenant;
  if (maxConcurrency !== null && running >= maxConcurrency) {
    return {
      waitsFor: "tenant_concurrency",
      decision: `It waits for one of the tenant's ${running} runs under way to end, ${maxConcurrency} are allowed, and is number ${position} in line`,
    };
  }
  if (lane !== null && lane.executors.every(({ avoidedUntil }) => (avoidedUntil ?? 0) > now)) {
    return {
      waitsFor: "an_executor",
      decision: `It waits for an executor: none of the ${laneName} lane's takes work now`,
    };
  }
  if (lane !== null && lane.slots !== null && lane.slotsTaken >= lane.slots) {
    return {
      waitsFor: "a_slot",
      decision: `It waits for a slot: all ${lane.slots} of the ${laneName} lane are taken, and it is number ${position} of the tenant's line`,
    };
  }
  return {
    waitsFor: "a_turn",
    decision: `It waits for its turn on the ${laneName} lane, as number ${position} of the tenant's line`,
  };
}

function overDecision(job: JobRecord, { state, reason }: JobSummary): string {
  const last = job.runs.at(-1);
  const because = reason === null ? "" : `: ${reason}`;
  if (last === undefined) return `It ended ${state} without a run${because}`;
  const runs = job.runs.length === 1 ? "its run" : `its last of ${job.runs.length} runs`;
  return `It ended ${state}, ${runs} on ${last.executor} with the outcome ${last.outcome ?? "unknown"}${because}`;
}
