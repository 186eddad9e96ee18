import type { Context } from "hono";

import type { Idempotency } from "../../durable-objects/job-contract.ts";
import { ok, type Result } from "../../protocol/result.ts";
import type { ScriptRequest } from "../../protocol/run-request.ts";
import type { AppEnv } from "../app-env.ts";
import type { Config } from "../config.ts";
import type { Envelope } from "../request/envelope.ts";
import { idempotencyOf, readIdempotencyKey } from "../request/idempotency.ts";
import { readJobOptions, splitJobOptions } from "../request/job-options.ts";
import { planInContainer, planJob } from "../request/job-plan.ts";
import { routeRequest } from "../request/lane-choice.ts";
import type { JobDraft } from "./submit-jobs.ts";

/** Reads a request as a job to be, at `now`, as far as it can be without its tenant's limits. */
export function readDraft(
  { fields, inputJson }: Envelope,
  idempotency: Idempotency | null,
  {
    tenant,
    config,
    now,
  }: { readonly tenant: string; readonly config: Config; readonly now: number },
): Result<JobDraft> {
  const { work, options } = splitJobOptions(fields);
  const wish = readJobOptions(options, now, config.webhooks);
  if (!wish.ok) return wish;
  const routed = routeRequest(work);
  if (!routed.ok) return routed;
  return ok({
    wish: wish.value,
    idempotency,
    plan: (policy) => planJob(routed.value, inputJson, { tenant, policy, config }),
  });
}

/** A request's `Idempotency-Key` with what is asked, for its Tenant to tell repeats by; null without one. */
async function readIdempotency(
  c: Context,
  envelope: Envelope,
): Promise<Result<Idempotency | null>> {
  const key = readIdempotencyKey(c.req.header("Idempotency-Key"));
  if (!key.ok) return key;
  if (key.value === undefined) return ok(null);
  const { pathname, search } = new URL(c.req.url);
  const request = { method: c.req.method, path: pathname, query: search, envelope };
  return ok(await idempotencyOf(key.value, request));
}

/** Reads a request's envelope as a job of whoever asks, with its key against repeats. */
export async function draftOf(c: Context<AppEnv>, envelope: Envelope): Promise<Result<JobDraft>> {
  const idempotency = await readIdempotency(c, envelope);
  if (!idempotency.ok) return idempotency;
  const { tenant } = c.get("principal");
  const { config } = c.get("services");
  return readDraft(envelope, idempotency.value, { tenant, config, now: Date.now() });
}

/** A script that no isolate can run, as a job in a container; none of its statements ran. */
export function draftInContainer(
  c: Context<AppEnv>,
  script: ScriptRequest,
  inputJson: string | null,
  reason: string,
): Result<JobDraft> {
  const { tenant } = c.get("principal");
  const { config } = c.get("services");
  const wish = readJobOptions(undefined, Date.now(), config.webhooks);
  if (!wish.ok) return wish;
  return ok({
    wish: wish.value,
    idempotency: null,
    plan: async (policy) => planInContainer(script, inputJson, { tenant, policy, config }, reason),
  });
}
