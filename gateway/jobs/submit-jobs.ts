import {
  INLINE_SPEC_BYTES,
  type Idempotency,
  type JobAnswer,
  type JobSpec,
  type JobSubmission,
  specKey,
  type SpecPlace,
} from "../../durable-objects/job-contract.ts";
import type { LimitReport } from "../../protocol/admission.ts";
import { base32 } from "../../protocol/api-key.ts";
import type { Failure } from "../../protocol/failure.ts";
import { fail, ok, type Result } from "../../protocol/result.ts";
import type { TenantPolicy } from "../../protocol/tenant.ts";
import type { Principal } from "../identity/tenant-gate.ts";
import type { QueueWish } from "../request/job-options.ts";
import type { PlannedJob } from "../request/job-plan.ts";
import type { Services } from "../services.ts";

/** A job that was asked for, before its tenant's limits were looked at. */
export interface JobDraft {
  readonly wish: QueueWish;
  readonly idempotency: Idempotency | null;
  /** May be called again, where the tenant's overrides changed meanwhile. */
  readonly plan: (policy: TenantPolicy) => Promise<Result<PlannedJob>>;
}

/** What became of each draft, in their order. */
export interface Submitted {
  readonly answers: readonly JobAnswer[];
  readonly reports: readonly LimitReport[];
}

type Needed = Pick<Services, "gate" | "jobs" | "files">;

/** A draft with its id, and what was decided of it. */
interface Planned {
  readonly jobId: string;
  readonly draft: Result<JobDraft>;
  readonly planned: Result<PlannedJob>;
}

/** How often jobs are planned again because their tenant's overrides changed meanwhile. */
const PLANS_MAX = 3;

const UNAVAILABLE: Failure = { code: "jobs_unavailable", retryAfterMs: 1_000 };

/** A job's id that was never used before. */
export const newJobId = (): string => `job_${base32(crypto.getRandomValues(new Uint8Array(16)))}`;

/**
 * Plans what could be read as a job, its tenant's overrides, and hands all to the tenant in one call; what it accepts is
 * committed. Each is accepted or refused by itself; a failure is one of all.
 *
 * A spec that is too long for the tenant's object is in R2 before; what is refused leaves nothing
 * there. Where the tenant does not answer, a spec stays: the job may have been accepted.
 */
export async function submitJobs(
  services: Needed,
  principal: Principal,
  drafts: readonly Result<JobDraft>[],
): Promise<Result<Submitted>> {
  const { gate, jobs } = services;
  const { tenant, keyId } = principal;
  const numbered = drafts.map((draft) => ({ draft, jobId: newJobId() }));
  for (let round = 0; round < PLANS_MAX; round++) {
    const policy = gate.policy(tenant);
    const planned = await Promise.all(
      numbered.map(async ({ draft, jobId }): Promise<Planned> => {
        return { draft, jobId, planned: draft.ok ? await draft.value.plan(policy) : draft };
      }),
    );
    if (planned.every((one) => !one.planned.ok)) {
      // What cannot be takes nothing, and is told only to who may ask.
      const look = { scope: "run", lane: "container", leaseMs: 0, mode: "look" } as const;
      const looked = await gate.admit(principal, policy, { ...look, runId: "look" });
      if (!looked.ok) return looked;
      if (looked.value.kind === "policy_changed") continue;
      const { value } = looked;
      if (value.kind === "refused" && isAboutRights(value.failure)) return fail(value.failure);
      const reports = value.kind === "unchecked" ? [] : value.reports;
      return ok({ answers: merged(planned, []), reports });
    }
    const submissions = await placed(services, tenant, planned);
    if (!submissions.ok) return submissions;
    const request = { keyId, policyVersion: policy.version, jobs: submissions.value };
    const submitted = await jobs.submit(tenant, request);
    if (!submitted.ok) return submitted;
    const answer = submitted.value;
    switch (answer.kind) {
      case "policy_changed":
        gate.learn(tenant, answer.policy);
        continue;
      case "refused":
        await removeSpecs(services, submissions.value);
        return fail(answer.failure);
      case "answered": {
        const unused = submissions.value.filter((_, index) => {
          const one = answer.answers[index];
          return one?.kind !== "accepted" || one.replayed;
        });
        await removeSpecs(services, unused);
        return ok({ answers: merged(planned, answer.answers), reports: answer.reports });
      }
    }
  }
  return fail(UNAVAILABLE);
}

/** Whether a caller was refused for who it is, rather than for how much it has had. */
export const isAboutRights = ({ code }: Failure): boolean =>
  code === "unauthenticated" || code === "forbidden";

/** The tenant's answers where a job could be planned, else why not. */
function merged(planned: readonly Planned[], answers: readonly JobAnswer[]): readonly JobAnswer[] {
  const left = [...answers];
  return planned.map(
    (one) =>
      (one.planned.ok
        ? left.shift()
        : ({ kind: "refused", failure: one.planned.failure } as const)) ?? {
        kind: "refused",
        failure: UNAVAILABLE,
      },
  );
}

/** Submissions of the jobs that could be planned, each spec where it belongs. */
async function placed(
  { files }: Needed,
  tenant: string,
  planned: readonly Planned[],
): Promise<Result<readonly JobSubmission[]>> {
  try {
    const made = await Promise.all(
      planned.map(async ({ draft, jobId, planned: one }) => {
        if (!one.ok || !draft.ok) return undefined;
        const { spec } = one.value;
        const place = await placeSpec(files, specKey(tenant, jobId), spec);
        return submissionOf(draft.value, jobId, spec, place);
      }),
    );
    return ok(made.filter((one) => one !== undefined));
  } catch (error) {
    console.error({ event: "spec_unwritten", tenant, error });
    return fail(UNAVAILABLE);
  }
}

async function placeSpec(files: R2Bucket, key: string, spec: JobSpec): Promise<SpecPlace> {
  const text = JSON.stringify(spec);
  const bytes = new TextEncoder().encode(text);
  if (bytes.byteLength <= INLINE_SPEC_BYTES) return { kind: "inline", text };
  await files.put(key, bytes);
  return { kind: "r2", key };
}

function submissionOf(
  { wish, idempotency }: JobDraft,
  jobId: string,
  { work, route }: JobSpec,
  spec: SpecPlace,
): JobSubmission {
  return { jobId, lane: work.lane, route, ...wish, spec, redriveOf: null, idempotency };
}

/** Nobody waits for what is left over; a spec that cannot be removed costs its bytes. */
async function removeSpecs({ files }: Needed, jobs: readonly JobSubmission[]): Promise<void> {
  const keys = jobs.flatMap(({ spec }) => (spec.kind === "r2" ? [spec.key] : []));
  if (keys.length === 0) return;
  try {
    await files.delete(keys);
  } catch (error) {
    console.error({ event: "spec_unremoved", keys, error });
  }
}
