import type { Context } from "hono";
import { Hono } from "hono";

import { tenantWebhookSecret } from "../../durable-objects/job/webhook-sender.ts";
import { FailureError, toProblem } from "../../protocol/failure.ts";
import {
  type BatchItem,
  isTerminal,
  type JobSummary,
  type WebhookSecrets,
} from "../../protocol/job.ts";
import { answerJob, jobPath, sandboxed, tellRates } from "../answer/job-answer.ts";
import { unwrap } from "../answer/unwrap.ts";
import type { AppEnv } from "../app-env.ts";
import { notBegun, readJob, withDetails } from "../jobs/job-view.ts";
import { readBatch } from "../jobs/read-batch.ts";
import { draftOf } from "../jobs/read-draft.ts";
import { redriveJob } from "../jobs/redrive-job.ts";
import { submitJobs } from "../jobs/submit-jobs.ts";
import { waitForJob } from "../jobs/wait-for-job.ts";
import { authenticate, authorize, scoped } from "../middleware/authenticate.ts";
import { readJobFilter, readJobId } from "../request/job-query.ts";
import { readJsonBody } from "../request/json-body.ts";
import { waitOf } from "../request/prefer.ts";

/** Jobs: submitted, told of, cancelled, run again. */
export const jobs = new Hono<AppEnv>();

jobs.post("/v1/jobs", authenticate, scoped("run"), async (c) => {
  const principal = c.get("principal");
  const body = await readJsonBody(c);
  const draft = body.ok ? await draftOf(c, body.value) : body;
  const submitted = unwrap(await submitJobs(c.get("services"), principal, [draft]));
  tellRates(c, submitted.reports);
  const [answer] = submitted.answers;
  if (answer === undefined || answer.kind === "refused") {
    throw new FailureError(answer?.failure ?? { code: "internal" });
  }
  if (answer.replayed) c.header("Idempotent-Replayed", "true");
  return answerSubmitted(c, answer.job);
});

jobs.post("/v1/jobs/batch", authenticate, scoped("run"), async (c) => {
  const principal = c.get("principal");
  const { config } = c.get("services");
  const now = Date.now();
  const drafts = unwrap(await readBatch(c, { tenant: principal.tenant, config, now }));
  const submitted = unwrap(await submitJobs(c.get("services"), principal, drafts));
  tellRates(c, submitted.reports);
  const results = submitted.answers.map((answer): BatchItem => {
    if (answer.kind === "accepted") {
      const { job, replayed } = answer;
      const view = { ...job, result: null, stats: null, deliveries: [] };
      return { status: 202, job: view, replayed };
    }
    const problem = toProblem(answer.failure);
    return { status: problem.status, problem };
  });
  return c.json({ results });
});

jobs.get("/v1/jobs", authenticate, authorize("read"), async (c) => {
  const filter = unwrap(readJobFilter(c.req.query()));
  return c.json(unwrap(await c.get("services").jobs.list(c.get("principal").tenant, filter)));
});

jobs.get("/v1/jobs/:id", authenticate, authorize("read"), async (c) => {
  const jobId = unwrap(readJobId(c.req.param("id")));
  const job = await readJob(c.get("services").jobs, c.get("principal").tenant, jobId);
  return answerJob(c, unwrap(job), 200);
});

jobs.get("/v1/jobs/:id/explain", authenticate, authorize("read"), async (c) => {
  const jobId = unwrap(readJobId(c.req.param("id")));
  sandboxed(c);
  return c.json(unwrap(await c.get("services").jobs.explain(c.get("principal").tenant, jobId)));
});

jobs.delete("/v1/jobs/:id", authenticate, authorize("run"), async (c) => {
  const { tenant } = c.get("principal");
  const objects = c.get("services").jobs;
  const jobId = unwrap(readJobId(c.req.param("id")));
  const cancelled = unwrap(await objects.cancel(tenant, jobId, "cancelled by its tenant"));
  if (!isTerminal(cancelled.state)) {
    // Its run is being killed: the answer says that it is dead, if that does not take for ever.
    const wait = { forMs: KILL_WAIT_MS, onLeave: "nothing", clientLeft: c.req.raw.signal } as const;
    await waitForJob(objects, tenant, jobId, wait);
  }
  return answerJob(c, unwrap(await readJob(objects, tenant, jobId)), 200);
});

jobs.post("/v1/jobs/:id/redrive", authenticate, authorize("run"), async (c) => {
  const jobId = unwrap(readJobId(c.req.param("id")));
  const { job, reports } = unwrap(await redriveJob(c.get("services"), c.get("principal"), jobId));
  tellRates(c, reports);
  return answerAccepted(c, job);
});

/** Scope "run": who may name a callback may check what it is told. */
jobs.get("/v1/webhooks/secrets", authenticate, authorize("run"), async (c) => {
  const { tenant } = c.get("principal");
  const { secrets } = c.get("services").config.webhooks;
  const own = await Promise.all(secrets.map((secret) => tenantWebhookSecret(secret, tenant)));
  const answer: WebhookSecrets = { secrets: own };
  return c.json(answer);
});

jobs.post("/v1/jobs/:id/redeliver", authenticate, authorize("run"), async (c) => {
  const { tenant } = c.get("principal");
  const objects = c.get("services").jobs;
  const jobId = unwrap(readJobId(c.req.param("id")));
  unwrap(await objects.find(tenant, jobId));
  return c.json({ deliveries: unwrap(await objects.redeliver(tenant, jobId)) });
});

/** Longest that an answer to a cancellation waits for the proof that nothing runs any more. */
const KILL_WAIT_MS = 10_000;

/** Answers at once, or after as long as the caller would wait. */
async function answerSubmitted(c: Context<AppEnv>, job: JobSummary): Promise<Response> {
  const { jobs: objects, config } = c.get("services");
  const { tenant } = c.get("principal");
  c.header("Vary", "Prefer", { append: true });
  const seconds = waitOf(c.req.header("Prefer"));
  if (seconds === undefined || seconds === 0) return answerAccepted(c, job);
  c.header("Preference-Applied", `wait=${seconds}`);
  if (!isTerminal(job.state)) {
    const forMs = Math.min(seconds * 1_000, config.runWaitMaxMs);
    const clientLeft = c.req.raw.signal;
    // The job is the tenant's whether it can be waited for or not.
    await waitForJob(objects, tenant, job.id, { forMs, onLeave: "nothing", clientLeft });
  }
  const now = await readJob(objects, tenant, job.id);
  if (!now.ok) return answerAccepted(c, job);
  return isTerminal(now.value.summary.state)
    ? answerJob(c, now.value, 200)
    : answerAccepted(c, now.value.summary);
}

/** 202, or 200 with all that is known where the job is over, as one that was asked for before may be. */
async function answerAccepted(c: Context<AppEnv>, job: JobSummary): Promise<Response> {
  const { jobs: objects } = c.get("services");
  c.header("Location", jobPath(job.id));
  if (!isTerminal(job.state)) return answerJob(c, notBegun(job), 202);
  const full = await withDetails(objects, c.get("principal").tenant, job);
  return answerJob(c, full.ok ? full.value : notBegun(job), 200);
}
