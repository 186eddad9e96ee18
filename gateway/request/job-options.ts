import { checkCallback } from "../../durable-objects/job/webhook.ts";
import type { Issue } from "../../protocol/failure.ts";
import {
  type Callback,
  JOB_OPTION_NAMES,
  JobOptions,
  type RetryRequest,
} from "../../protocol/job.ts";
import { fail, ok, type Result } from "../../protocol/result.ts";
import type { Config } from "../config.ts";
import { issuesOf } from "./issues.ts";

/** How a job queues; times in milliseconds since the epoch. */
export interface QueueWish {
  readonly priority: number;
  readonly notBefore: number | null;
  readonly expiresAt: number | null;
  readonly retry: RetryRequest;
  readonly callback: Callback | null;
}

/** A body's fields: those that say what is done, and those that say how it queues. */
export interface SplitFields {
  readonly work: unknown;
  /** Undefined where none was named. */
  readonly options: Readonly<Record<string, unknown>> | undefined;
}

/** Longest that a job may be put off; milliseconds. What waits for longer belongs in a calendar. */
const PUT_OFF_MAX_MS = 30 * 24 * 60 * 60 * 1000;

/** Parts the fields that say how a job queues from those that say what it does. */
export function splitJobOptions(fields: unknown): SplitFields {
  if (typeof fields !== "object" || fields === null || Array.isArray(fields)) {
    return { work: fields, options: undefined };
  }
  if (!JOB_OPTION_NAMES.some((name) => Object.hasOwn(fields, name))) {
    return { work: fields, options: undefined };
  }
  const isOption = (name: string): boolean => JOB_OPTION_NAMES.some((known) => known === name);
  const entries = Object.entries(fields);
  return {
    work: Object.fromEntries(entries.filter(([name]) => !isOption(name))),
    options: Object.fromEntries(entries.filter(([name]) => isOption(name))),
  };
}

/** Reads the fields that say how a job queues, at `now`. */
export function readJobOptions(
  options: Readonly<Record<string, unknown>> | undefined,
  now: number,
  webhooks: Pick<Config["webhooks"], "secrets" | "allowPrivateHosts">,
): Result<QueueWish> {
  const parsed = JobOptions.safeParse(options ?? {});
  if (!parsed.success) {
    return fail({ code: "malformed_request", issues: issuesOf(parsed.error) });
  }
  const { priority, retry, callback = null } = parsed.data;
  const wish: QueueWish = {
    priority,
    notBefore: timeOf(parsed.data.notBefore),
    expiresAt: timeOf(parsed.data.expiresAt),
    retry,
    callback,
  };
  const issue = findIssue(wish, now) ?? findCallbackIssue(wish.callback, webhooks);
  return issue === undefined ? ok(wish) : fail({ code: "malformed_request", issues: [issue] });
}

function findIssue({ notBefore, expiresAt }: QueueWish, now: number): Issue | undefined {
  if (notBefore !== null && notBefore > now + PUT_OFF_MAX_MS) {
    return { path: "notBefore", message: "must be within 30 days" };
  }
  if (expiresAt !== null && expiresAt <= now) {
    return { path: "expiresAt", message: "must be in the future" };
  }
  if (expiresAt !== null && notBefore !== null && expiresAt <= notBefore) {
    return { path: "expiresAt", message: "must be after notBefore" };
  }
  return undefined;
}

/** What is refused here would never be told: better to say so than to fail in silence later. */
function findCallbackIssue(
  callback: Callback | null,
  { secrets, allowPrivateHosts }: Pick<Config["webhooks"], "secrets" | "allowPrivateHosts">,
): Issue | undefined {
  if (callback === null) return undefined;
  if (secrets.length === 0) {
    return { path: "callback", message: "cannot be told: this service has no WEBHOOK_SECRET" };
  }
  const verdict = checkCallback(callback.url, allowPrivateHosts);
  return verdict.allowed
    ? undefined
    : { path: "callback.url", message: `cannot be called: ${verdict.reason}` };
}

const timeOf = (text: string | undefined): number | null =>
  text === undefined ? null : Date.parse(text);
