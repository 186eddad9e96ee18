import { z } from "zod";

import type { QueueGateway } from "../servers/bench-queue.ts";
import { NO_OP_REQUEST } from "../work.ts";

/** Jobs that wait before anything is measured. */
export const QUEUED = 1000;

const BATCH = 100;
const TIMEOUT_MS = 60_000;

const Batch = z.object({
  results: z.array(z.object({ job: z.object({ id: z.string() }) })),
});

/** A route that a client of a full queue asks. */
export interface Route {
  readonly name: string;
  readonly path: string;
  /** Sent by POST; null is a GET. */
  readonly body: string | null;
  readonly status: number;
}

/**
 * Fills the queue of a gateway's only tenant, and gives the routes that are measured on it.
 *
 * @throws {Error} Where a job is refused.
 */
export async function fillQueue(gateway: QueueGateway): Promise<readonly Route[]> {
  let last = "";
  for (let queued = 0; queued < QUEUED; queued += BATCH) {
    const jobs = Array.from({ length: BATCH }, () => JSON.parse(NO_OP_REQUEST) as unknown);
    const answer = await fetch(new URL("/v1/jobs/batch", gateway.url), {
      method: "POST",
      headers: headersOf(gateway),
      body: JSON.stringify({ jobs }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const text = await answer.text();
    const batch = answer.ok ? Batch.safeParse(JSON.parse(text)).data : undefined;
    if (batch === undefined) {
      throw new Error(`Cannot fill the queue: ${answer.status} ${text.slice(0, 300)}`);
    }
    last = batch.results.at(-1)?.job.id ?? last;
  }
  return [
    { name: "POST /v1/jobs", path: "/v1/jobs", body: NO_OP_REQUEST, status: 202 },
    { name: "GET /v1/jobs/{id}", path: `/v1/jobs/${last}`, body: null, status: 200 },
    { name: "GET /v1/jobs", path: "/v1/jobs", body: null, status: 200 },
    { name: "GET /v1/queue", path: "/v1/queue", body: null, status: 200 },
  ];
}

export const headersOf = ({ keys }: QueueGateway): Record<string, string> => ({
  authorization: `Bearer ${keys[0] ?? ""}`,
  "content-type": "application/json",
});
