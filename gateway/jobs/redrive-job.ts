import { type RedriveAnswer, specKey } from "../../durable-objects/job-contract.ts";
import type { LimitReport } from "../../protocol/admission.ts";
import type { Failure } from "../../protocol/failure.ts";
import type { JobSummary } from "../../protocol/job.ts";
import { fail, ok, type Result } from "../../protocol/result.ts";
import type { Principal } from "../identity/tenant-gate.ts";
import type { Services } from "../services.ts";
import { newJobId } from "./submit-jobs.ts";

/** How often a tenant is asked: for its policy, for a copy, and once more for each. */
const ROUNDS_MAX = 4;

const UNAVAILABLE: Failure = { code: "jobs_unavailable", retryAfterMs: 1_000 };

/** Makes a new job of one that is over, of the same spec; its own copy where that lies in R2. */
export async function redriveJob(
  { gate, jobs, files }: Pick<Services, "gate" | "jobs" | "files">,
  { tenant, keyId }: Principal,
  jobId: string,
): Promise<Result<{ readonly job: JobSummary; readonly reports: readonly LimitReport[] }>> {
  const newId = newJobId();
  let specCopied = false;
  let made: JobSummary | undefined;
  try {
    for (let round = 0; round < ROUNDS_MAX; round++) {
      const policyVersion = gate.policy(tenant).version;
      const request = { keyId, policyVersion, jobId, newJobId: newId, specCopied };
      const asked: Result<RedriveAnswer> = await jobs.redrive(tenant, request);
      if (!asked.ok) return asked;
      const answer = asked.value;
      switch (answer.kind) {
        case "policy_changed":
          gate.learn(tenant, answer.policy);
          continue;
        case "copy_spec": {
          const spec = await files.get(answer.from);
          if (spec === null) return fail({ code: "gone", what: `the request of job "${jobId}"` });
          await files.put(answer.to, spec.body);
          specCopied = true;
          continue;
        }
        case "refused":
          return fail(answer.failure);
        case "answered": {
          const [one] = answer.answers;
          if (one?.kind !== "accepted") return fail(one?.failure ?? UNAVAILABLE);
          made = one.job;
          return ok({ job: one.job, reports: answer.reports });
        }
      }
    }
    return fail(UNAVAILABLE);
  } finally {
    if (specCopied && made === undefined) await files.delete(specKey(tenant, newId));
  }
}
