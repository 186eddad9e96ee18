import type { ServerResponse } from "node:http";

import { REFUSAL_HEADER } from "../protocol/sandbox-api.ts";
import type { Refusal } from "../protocol/sandbox-api.ts";

/** When a refused gateway may come again: a queue of a second's worth moves on. Seconds. */
const RETRY_AFTER_S = 1;

/** Answers without a run. */
export function answerJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    ...headers,
    "Content-Type": "application/json",
    "Content-Length": Buffer.byteLength(text),
  });
  response.end(text);
}

/** Says that no work was taken, and why: a signal for routing, never a failure. */
export function answerRefusal(response: ServerResponse, refusal: Refusal): void {
  answerJson(
    response,
    503,
    { code: refusal },
    { [REFUSAL_HEADER]: refusal, "Retry-After": String(RETRY_AFTER_S) },
  );
}
