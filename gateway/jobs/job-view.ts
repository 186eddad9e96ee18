import type { JobDetails } from "../../durable-objects/job-contract.ts";
import { isTerminal, type JobSummary } from "../../protocol/job.ts";
import { ok, type Result } from "../../protocol/result.ts";
import type { JobObjects } from "../objects/job-objects.ts";

/** A job with what its own object knows of it. */
export interface FullJob {
  readonly summary: JobSummary;
  readonly details: JobDetails;
}

const NOTHING_YET: JobDetails = { result: null, resultText: null, stats: null, deliveries: [] };

/** A job that no run of has begun: its own object knows nothing yet. */
export const notBegun = (summary: JobSummary): FullJob => ({ summary, details: NOTHING_YET });

/** A job as it stands. */
export async function readJob(
  jobs: JobObjects,
  tenant: string,
  jobId: string,
): Promise<Result<FullJob>> {
  const summary = await jobs.find(tenant, jobId);
  return summary.ok ? withDetails(jobs, tenant, summary.value) : summary;
}

/** A job whose summary is known, with the rest of it. */
export async function withDetails(
  jobs: JobObjects,
  tenant: string,
  summary: JobSummary,
): Promise<Result<FullJob>> {
  const isOver = isTerminal(summary.state);
  if (!isOver && summary.runs.length === 0) return ok(notBegun(summary));
  const details = await jobs.details(tenant, summary.id, isOver);
  return details.ok ? ok({ summary, details: details.value }) : details;
}

/** A job as JSON text; its result's value is the text that the run wrote. */
export function jobText({ summary, details }: FullJob): string {
  const { resultText, stats, deliveries } = details;
  const before = JSON.stringify(summary);
  const after = JSON.stringify({ stats, deliveries });
  return `${before.slice(0, -1)},"result":${resultText ?? "null"},${after.slice(1)}`;
}
