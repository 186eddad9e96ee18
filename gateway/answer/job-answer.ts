import type { Context } from "hono";

import type { LimitReport } from "../../protocol/admission.ts";
import { type FullJob, jobText } from "../jobs/job-view.ts";
import { rateHeaders } from "./rate-headers.ts";

/** Where a job is found. */
export const jobPath = (jobId: string): string => `/v1/jobs/${jobId}`;

/** Tells a caller how its limits stand. */
export function tellRates(c: Context, reports: readonly LimitReport[]): void {
  for (const [name, value] of Object.entries(rateHeaders(reports) ?? {})) c.header(name, value);
}

/** What a run wrote is nobody's page: no browser is to show it as one of ours. */
export function sandboxed(c: Context): void {
  c.header("Cache-Control", "no-store, no-transform");
  c.header("Content-Security-Policy", "sandbox; default-src 'none'");
}

/** A job as it stands, as JSON; `status` 202 where it goes on. */
export function answerJob(c: Context, job: FullJob, status: 200 | 202): Response {
  sandboxed(c);
  c.header("Content-Type", "application/json");
  return c.body(jobText(job), status);
}

/** A run's result as the text that its job keeps. */
export function answerResult(c: Context, resultText: string): Response {
  sandboxed(c);
  c.header("Content-Type", "application/json");
  return c.body(resultText, 200);
}
