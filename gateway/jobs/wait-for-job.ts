import type { FollowRequest } from "../../durable-objects/job-contract.ts";
import { FailureError } from "../../protocol/failure.ts";
import { fail, ok, type Result } from "../../protocol/result.ts";
import type { JobObjects } from "../objects/job-objects.ts";

/** How a caller waits for a job. */
export interface Wait {
  /** Undefined is until the job is over. */
  readonly forMs?: number;
  readonly onLeave: FollowRequest["onLeave"];
  readonly clientLeft: AbortSignal;
}

/**
 * Resolves when a job is over, or the wait.
 *
 * It follows the job: the stream that it holds open is what a client that leaves cuts, and what the
 * job learns of it by.
 */
export async function waitForJob(
  jobs: JobObjects,
  tenant: string,
  jobId: string,
  { forMs, onLeave, clientLeft }: Wait,
): Promise<Result<null>> {
  const request = { after: 0, format: "ndjson", onLeave } as const;
  const followed = await jobs.follow(
    tenant,
    jobId,
    forMs === undefined ? request : { ...request, forMs },
  );
  if (!followed.ok) return followed;
  if (followed.value.kind === "dropped") return ok(null);
  const reader = followed.value.body.getReader();
  const leave = (): void => void reader.cancel().catch(() => undefined);
  if (clientLeft.aborted) leave();
  clientLeft.addEventListener("abort", leave, { once: true });
  try {
    while (!(await reader.read()).done);
    return ok(null);
  } catch (error) {
    if (error instanceof FailureError) throw error;
    // Its object was moved or restarted: the job goes on, and may be asked for.
    console.warn({ event: "follow_cut", tenant, jobId, error });
    return fail({ code: "jobs_unavailable", retryAfterMs: 1_000 });
  } finally {
    clientLeft.removeEventListener("abort", leave);
  }
}
