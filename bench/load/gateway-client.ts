import { Pool } from "undici";
import { z } from "zod";

import { Isolation } from "../../protocol/sandbox-api.ts";
import { Work } from "../work.ts";
import { type Served, serveLoads } from "./serve-loads.ts";

/** Runs through a gateway, as a customer sends them. */
export const GatewayTarget = z.strictObject({
  url: z.url(),
  key: z.string(),
  isolation: Isolation,
  work: Work,
});
export type GatewayTarget = z.infer<typeof GatewayTarget>;

/** Larger than any load's callers: waiting for a connection is not what is measured. */
const CONNECTIONS = 64;

const Answer = z.object({
  outcome: z.string(),
  value: z.unknown(),
  usage: z.object({ queueMs: z.number(), wallMs: z.number() }),
});

function open(given: unknown): Promise<Served<string>> {
  const { url, key, isolation, work } = GatewayTarget.parse(given);
  const pool = new Pool(url, { connections: CONNECTIONS, pipelining: 1 });
  const { code, inputJson } = work;
  const envelope = JSON.stringify({ language: "javascript", code, isolation });
  const body = `${envelope.slice(0, -1)},"input":${inputJson}}`;

  return Promise.resolve({
    async call() {
      const answer = await pool.request({
        path: "/v1/run",
        method: "POST",
        headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
        body,
      });
      const text = await answer.body.text();
      if (answer.statusCode === 200) return text;
      throw new Error(`Cannot run through the gateway: ${answer.statusCode} ${text.slice(0, 300)}`);
    },
    check(text) {
      const { outcome, value, usage } = Answer.parse(JSON.parse(text));
      if (outcome !== "ok" || JSON.stringify(value) !== work.outputJson) {
        throw new Error(`Cannot use an answer of the gateway: ${text.slice(0, 300)}`);
      }
      return { queueMs: usage.queueMs, runMs: usage.wallMs };
    },
    close: () => pool.close(),
  });
}

serveLoads(open);
