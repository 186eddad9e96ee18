import type { JobFilter } from "../../durable-objects/job-contract.ts";
import { JOB_ID, JobState } from "../../protocol/job.ts";
import { Lane } from "../../protocol/outcome.ts";
import { fail, ok, type Result } from "../../protocol/result.ts";

/** Jobs on one page of `GET /v1/jobs`. */
const PAGE_DEFAULT = 50;
const PAGE_MAX = 200;

/** Longer than any cursor that was handed out. */
const CURSOR_CHARS_MAX = 100;

/** A job's id out of a path; what has not the form of one is no job. */
export function readJobId(text: string | undefined): Result<string> {
  if (text !== undefined && JOB_ID.test(text)) return ok(text);
  return fail({ code: "not_found", what: "this job" });
}

/** The filters of `GET /v1/jobs`, from its query. */
export function readJobFilter(query: Readonly<Record<string, string>>): Result<JobFilter> {
  const { state, lane, cursor = null, limit = String(PAGE_DEFAULT) } = query;
  const count = /^[0-9]{1,4}$/.test(limit) ? Number(limit) : 0;
  if (count < 1 || count > PAGE_MAX) {
    return malformed("limit", `must be a whole number from 1 to ${PAGE_MAX}`);
  }
  const ofState = JobState.optional().safeParse(state);
  if (!ofState.success) return malformed("state", oneOf(JobState.options));
  const onLane = Lane.optional().safeParse(lane);
  if (!onLane.success) return malformed("lane", oneOf(Lane.options));
  if (cursor !== null && !/^[0-9]{1,15}$/.test(cursor.slice(0, CURSOR_CHARS_MAX))) {
    return malformed("cursor", "must be the nextCursor of a page before");
  }
  return ok({ state: ofState.data ?? null, lane: onLane.data ?? null, cursor, limit: count });
}

/**
 * Number of the last event that a follower has: `Last-Event-ID` as browsers send it when they come
 * back, else `?after=`; 0 is none.
 */
export function readCursor(
  lastEventId: string | undefined,
  after: string | undefined,
): Result<number> {
  const [path, text] =
    lastEventId === undefined ? ["after", after ?? "0"] : ["Last-Event-ID", lastEventId];
  if (/^[0-9]{1,15}$/.test(text)) return ok(Number(text));
  return malformed(path, "must be the number of an event");
}

const oneOf = (options: readonly string[]): string => `must be one of ${options.join(", ")}`;

const malformed = (path: string, message: string): Result<never> =>
  fail({ code: "malformed_request", issues: [{ path, message }] });
