import { checkAddress, literalAddress } from "../../protocol/address-policy.ts";
import { checkUrl, type UrlVerdict } from "../../protocol/url-policy.ts";
import type { JobIdentity, WebhookDelivery } from "../job-contract.ts";
import type { DeliveryRow, JobRecord } from "./job-rows.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** Pauses before each further try, as the Standard Webhooks specification recommends; milliseconds. */
const PAUSES_MS: readonly number[] = [
  5_000,
  5 * MINUTE_MS,
  30 * MINUTE_MS,
  2 * HOUR_MS,
  5 * HOUR_MS,
  10 * HOUR_MS,
];

/** Added at random to each pause, so that receivers that were down are not met by all at once. */
const JITTER = 0.1;

/** A longer result is not sent: receivers refuse long bodies, and can fetch it. Characters. */
const RESULT_MAX_CHARS = 256 * 1024;

/** What a receiver answered, or why it could not. */
export type DeliveryAnswer =
  | { readonly kind: "answered"; readonly status: number }
  | { readonly kind: "failed"; readonly reason: string }
  /** It may not be asked, whenever it is tried. */
  | { readonly kind: "forbidden"; readonly reason: string };

/**
 * Whether a callback may be called, as far as its text tells: a public host by http or https, and
 * no address that is ours. What its name resolves to is checked by the egress proxy, where there
 * is one.
 */
export function checkCallback(url: string, allowPrivateHosts: readonly string[]): UrlVerdict {
  const anyHost = { host: "", wildcard: true, port: undefined };
  const verdict = checkUrl(url, { net: [anyHost], allowPrivateHosts });
  if (!verdict.allowed || verdict.target.exempt) return verdict;
  const literal = literalAddress(verdict.target.hostname);
  const address = literal === undefined ? undefined : checkAddress(literal);
  return address === undefined || address.allowed
    ? verdict
    : { allowed: false, reason: `"${verdict.target.hostname}" is in ${address.range}` };
}

/** The message's id: the same at every try, so that a receiver can tell a repeat. */
export const messageIdOf = (jobId: string, event: DeliveryRow["event"]): string =>
  `msg_${jobId}_${event}`;

/** A delivery that is to begin now. */
export const newDelivery = (
  event: DeliveryRow["event"],
  runId: string | null,
  now: number,
): DeliveryRow => ({
  event,
  at: now,
  runId,
  state: "pending",
  attempts: 0,
  tries: 0,
  nextAt: now,
  lastStatus: null,
  lastError: null,
  lastAt: null,
});

/** A delivery that is to begin anew, whatever became of it. */
export const redelivered = (delivery: DeliveryRow, now: number): DeliveryRow => ({
  ...delivery,
  state: "pending",
  tries: 0,
  nextAt: now,
});

/**
 * A delivery after one more try. 2xx is delivered; 410 says that nobody wants it; anything else,
 * redirects included, is tried again after a growing pause, for most of a day.
 *
 * @param random Between 0 and 1.
 */
export function afterTry(
  delivery: DeliveryRow,
  answer: DeliveryAnswer,
  now: number,
  random: number,
): DeliveryRow {
  const status = answer.kind === "answered" ? answer.status : null;
  const tried: DeliveryRow = {
    ...delivery,
    attempts: delivery.attempts + 1,
    tries: delivery.tries + 1,
    lastStatus: status,
    lastError: errorOf(answer),
    lastAt: now,
    nextAt: null,
  };
  if (status !== null && status >= 200 && status < 300) return { ...tried, state: "delivered" };
  const pauseMs = PAUSES_MS[delivery.tries];
  if (status === 410 || answer.kind === "forbidden" || pauseMs === undefined) {
    return { ...tried, state: "failed" };
  }
  return { ...tried, nextAt: now + Math.round(pauseMs * (1 + JITTER * random)) };
}

/** The message's body, as JSON text. `resultText` is a result's JSON, put in as it is. */
export function webhookBody(
  record: JobRecord,
  { event, at, runId }: DeliveryRow,
  resultText: string | undefined,
): string {
  const { identity, startedAt, over } = record;
  const isDone = event === "done";
  const data = JSON.stringify({
    id: identity.jobId,
    state: isDone ? (over?.state ?? "done") : "running",
    lane: identity.lane,
    createdAt: isoOf(identity.createdAt),
    startedAt: startedAt === null ? null : isoOf(startedAt),
    endedAt: isDone && over !== null ? isoOf(over.at) : null,
    runId,
  });
  const fits = isDone && resultText !== undefined && resultText.length <= RESULT_MAX_CHARS;
  const head = JSON.stringify({ type: `job.${event}`, timestamp: isoOf(at) });
  return `${head.slice(0, -1)},"data":${data.slice(0, -1)},"result":${fits ? resultText : "null"}}}`;
}

/** Whether the job's owner asked to be told of this. */
export const isWanted = ({ callback }: JobIdentity, event: DeliveryRow["event"]): boolean =>
  callback?.events.includes(event) ?? false;

/** A delivery as it is shown. */
export function deliveryView(jobId: string, delivery: DeliveryRow): WebhookDelivery {
  const { event, state, attempts, lastStatus, lastError, lastAt, nextAt } = delivery;
  return {
    event,
    messageId: messageIdOf(jobId, event),
    state,
    attempts,
    lastStatus,
    lastError,
    lastAt: lastAt === null ? null : isoOf(lastAt),
    nextAt: nextAt === null ? null : isoOf(nextAt),
  };
}

function errorOf(answer: DeliveryAnswer): string | null {
  if (answer.kind !== "answered") return answer.reason;
  const { status } = answer;
  if (status >= 200 && status < 300) return null;
  return status >= 300 && status < 400
    ? `it redirects with status ${status}, which is not followed`
    : `it answers with status ${status}`;
}

const isoOf = (ms: number): string => new Date(ms).toISOString();
