import { randomBytes } from "node:crypto";

import { Pool } from "undici";
import { z } from "zod";

import { base32 } from "../../protocol/api-key.ts";
import {
  CONTAINER_RUNS,
  ContainerOrder,
  ContainerReadiness,
} from "../../protocol/container-api.ts";
import { SIGNATURE_HEADER } from "../../protocol/signature.ts";
import { checkFollowed, type Followed, followEvents } from "./follow-events.ts";
import { type Served, serveLoads } from "./serve-loads.ts";
import { signatureOf } from "./sign.ts";

/** Signed orders straight to a container-executor, and their events, as a Job asks for them. */
export const ExecutorTarget = z.strictObject({
  url: z.url(),
  secret: z.strictObject({ id: z.string(), secret: z.string() }),
  order: ContainerOrder.omit({ runId: true }),
  stdout: z.string(),
});
export type ExecutorTarget = z.infer<typeof ExecutorTarget>;

/** Larger than any load's callers: waiting for a connection is not what is measured. */
const CONNECTIONS = 64;

async function open(given: unknown): Promise<Served<Followed>> {
  const { url, secret, order, stdout } = ExecutorTarget.parse(given);
  const pool = new Pool(url, { connections: CONNECTIONS, pipelining: 1 });
  const readiness = await pool.request({ path: "/readyz", method: "GET" });
  const { bootId } = ContainerReadiness.parse(await readiness.body.json());
  const acks = new Set<Promise<void>>();

  const ask = (method: "GET" | "PUT" | "POST", path: string, body = "") =>
    pool.request({
      path,
      method,
      headers: { [SIGNATURE_HEADER]: signatureOf(method, path, body, bootId, secret) },
      body: body === "" ? null : body,
    });

  const ack = async (path: string): Promise<void> => {
    const answer = await ask("POST", `${path}/ack`);
    await answer.body.dump();
  };

  return {
    async call() {
      const began = performance.now();
      const runId = `job_${base32(randomBytes(17)).slice(0, 26)}.1`;
      const path = `${CONTAINER_RUNS}/${runId}`;
      const taken = await ask("PUT", path, JSON.stringify({ ...order, runId }));
      const text = await taken.body.text();
      if (taken.statusCode !== 201) {
        throw new Error(`Cannot run at the executor: ${taken.statusCode} ${text.slice(0, 300)}`);
      }
      const events = await ask("GET", `${path}/events?after=0`);
      const followed = await followEvents(events.body, began);
      // Nobody waits for it; without it the executor would keep every record.
      const acked = ack(path).finally(() => acks.delete(acked));
      acks.add(acked);
      return followed;
    },
    check: (run) => checkFollowed(run, stdout),
    async close() {
      await Promise.allSettled(acks);
      await pool.close();
    },
  };
}

serveLoads(open);
