import { createHash } from "node:crypto";

import { Pool } from "undici";
import { z } from "zod";

import {
  ExecutorResult,
  Isolation,
  RUN_CONTENT_TYPE,
  type RunCaps,
  type RunOrder,
  type RunWork,
  SandboxReadiness,
} from "../../protocol/sandbox-api.ts";
import { SIGNATURE_HEADER } from "../../protocol/signature.ts";
import { Work } from "../work.ts";
import { type Served, serveLoads } from "./serve-loads.ts";
import { signatureOf } from "./sign.ts";

/** Signed runs straight to a sandbox-worker, as a gateway sends them. */
export const SandboxTarget = z.strictObject({
  url: z.url(),
  secret: z.strictObject({ id: z.string(), secret: z.string() }),
  isolation: Isolation,
  /** The runs come from so many tenants in turn. */
  tenants: z.number().int().positive(),
  work: Work,
});
export type SandboxTarget = z.infer<typeof SandboxTarget>;

const PATH = "/v1/runs";

/** Larger than any load's callers: waiting for a connection is not what is measured. */
const CONNECTIONS = 64;

/** The shipped defaults of the isolate lane. */
const CAPS: RunCaps = {
  wallMs: 5000,
  cpuMs: 1000,
  memoryMb: 64,
  outputBytes: 1_048_576,
  resultBytes: 4_194_304,
  fetches: 50,
  fetchMs: 30_000,
  fetchBytes: 16_777_216,
  pendingOps: 1000,
};

const End = z.object({ end: ExecutorResult });

async function open(given: unknown): Promise<Served<string>> {
  const { url, secret, isolation, tenants, work } = SandboxTarget.parse(given);
  const pool = new Pool(url, { connections: CONNECTIONS, pipelining: 1 });
  const readiness = await pool.request({ path: "/readyz", method: "GET" });
  const { bootId } = SandboxReadiness.parse(await readiness.body.json());
  const workLine = JSON.stringify(workOf(work));
  const orders = Array.from({ length: tenants }, (_, tenant) =>
    orderOf(`bench-${tenant}`, isolation, workLine),
  );

  return {
    async call(turn) {
      const order = { ...orders[turn % tenants], runId: `run_${process.pid}_${turn}` };
      const body = `${JSON.stringify(order)}\n${workLine}\n`;
      const answer = await pool.request({
        path: PATH,
        method: "POST",
        headers: {
          "content-type": RUN_CONTENT_TYPE,
          [SIGNATURE_HEADER]: signatureOf("POST", PATH, body, bootId, secret),
        },
        body,
      });
      const text = await answer.body.text();
      if (answer.statusCode === 200) return text;
      throw new Error(
        `Cannot run at the sandbox-worker: ${answer.statusCode} ${text.slice(0, 300)}`,
      );
    },
    check(text) {
      const line = text.trimEnd();
      const { end } = End.parse(JSON.parse(line.slice(line.lastIndexOf("\n") + 1)));
      if (end.outcome !== "ok" || end.valueJson !== work.outputJson) {
        const why = end.error?.message ?? `value ${String(end.valueJson).slice(0, 200)}`;
        throw new Error(`Cannot use an answer of the sandbox-worker: ${end.outcome}, ${why}`);
      }
      return { queueMs: end.usage.queueMs, runMs: end.usage.wallMs };
    },
    close: () => pool.close(),
  };
}

function workOf({ code, inputJson }: Work): RunWork {
  return {
    language: "javascript",
    entry: "main.js",
    modules: { "main.js": code },
    inputJson,
    request: null,
    env: {},
  };
}

function orderOf(tenant: string, isolation: Isolation, workLine: string): RunOrder {
  const instance = createHash("sha256").update(`${tenant}\n${workLine}`).digest("hex");
  return {
    runId: "",
    tenant,
    tenantMaxConcurrent: 0,
    isolation,
    caps: CAPS,
    net: [],
    stream: false,
    affinity: isolation === "warm" ? instance : null,
  };
}

serveLoads(open);
