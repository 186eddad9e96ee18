import { Pool } from "undici";
import { z } from "zod";

import { checkFollowed, followEvents } from "./follow-events.ts";
import { type Served, serveLoads } from "./serve-loads.ts";

/** Jobs through a gateway, as a customer sends them. */
export const JobTarget = z.strictObject({
  url: z.url(),
  /** Of the tenants that the jobs come from, in turn. */
  keys: z.array(z.string()).min(1),
  /** One request whose answer streams the events, a job and then its events, or a job that is waited for. */
  way: z.enum(["run-stream", "job-stream", "job-wait"]),
  /** JSON text of the request. */
  body: z.string(),
  /** What the job writes, for the ways that stream; what it gives, as JSON text, for the one that waits. */
  expected: z.string(),
});
export type JobTarget = z.infer<typeof JobTarget>;

/** Larger than any load's callers: waiting for a connection is not what is measured. */
const CONNECTIONS = 64;

const NDJSON = "application/x-ndjson";

const Submitted = z.object({ id: z.string() });
const Ended = z.object({ state: z.literal("done"), result: z.object({ value: z.unknown() }) });

/** Its spans, and a check that is left until it is not timed any more. */
type Answer = () => Readonly<Record<string, number>>;

function open(given: unknown): Promise<Served<Answer>> {
  const { url, keys, way, body, expected } = JobTarget.parse(given);
  const pool = new Pool(url, { connections: CONNECTIONS, pipelining: 1 });
  const headersOf = (turn: number, accept: string) => ({
    authorization: `Bearer ${keys[turn % keys.length] ?? ""}`,
    "content-type": "application/json",
    accept,
  });
  const post = async (path: string, headers: Record<string, string>, status: number) => {
    const answer = await pool.request({ path, method: "POST", headers, body });
    if (answer.statusCode === status) return answer.body;
    const text = await answer.body.text();
    throw new Error(`Cannot use ${path}: ${answer.statusCode} ${text.slice(0, 300)}`);
  };
  const follow = async (stream: AsyncIterable<Uint8Array>, began: number): Promise<Answer> => {
    const run = await followEvents(stream, began);
    return () => checkFollowed(run, expected);
  };

  const ways: Readonly<Record<JobTarget["way"], (turn: number) => Promise<Answer>>> = {
    "run-stream": async (turn) => {
      const began = performance.now();
      return await follow(await post("/v1/run", headersOf(turn, NDJSON), 200), began);
    },
    "job-stream": async (turn) => {
      const began = performance.now();
      const accepted = await post("/v1/jobs", headersOf(turn, "application/json"), 202);
      const { id } = Submitted.parse(await accepted.json());
      const path = `/v1/jobs/${id}/events`;
      const events = await pool.request({ path, method: "GET", headers: headersOf(turn, NDJSON) });
      return await follow(events.body, began);
    },
    "job-wait": async (turn) => {
      const headers = { ...headersOf(turn, "application/json"), prefer: "wait=60" };
      const text = await (await post("/v1/jobs", headers, 200)).text();
      return () => {
        const { result } = Ended.parse(JSON.parse(text));
        if (JSON.stringify(result.value) === expected) return {};
        throw new Error(`Cannot use a job: it gave ${text.slice(0, 300)}`);
      };
    },
  };
  return Promise.resolve({
    call: ways[way],
    check: (answer) => answer(),
    close: () => pool.close(),
  });
}

serveLoads(open);
