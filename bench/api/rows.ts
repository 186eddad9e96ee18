import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { z } from "zod";

import { BenchQueue, type QueueGateway } from "../servers/bench-queue.ts";
import { spreadOf } from "../statistics.ts";
import type { Finding, Suite } from "../suite.ts";
import { fillQueue, headersOf, QUEUED, type Route } from "./full-queue.ts";

const TIMES = 20;
/** What a request sets off is done by then, and counts as its own. Milliseconds. */
const AFTERWARDS_MS = 100;
/** The runs under way end long after the bench: nothing but the requests moves a row. */
const RUN_MS = 3_600_000;

const Rows = z.object({ read: z.number(), written: z.number() });
type Rows = z.infer<typeof Rows>;

/** What a request costs in rows: what Durable Objects are billed by, and what grows with the queue if it is read. */
export const rows: Suite = {
  name: "rows",
  title: `Rows of a request with ${QUEUED.toLocaleString("en")} jobs queued`,
  async run({ root, rounds, scale, signal }) {
    await using queue = await BenchQueue.start(root, false);
    const main = fileURLToPath(new URL("./counting-worker.ts", import.meta.url));
    const wall = String(RUN_MS);
    const vars = {
      QUEUE_MAX_PER_TENANT: "20000",
      QUEUE_TIMEOUT_MS: wall,
      ISOLATE_WALL_MS: wall,
      ISOLATE_WALL_MS_MAX: wall,
    };
    const gateway = await queue.alone({ name: "rows", tenants: 1, vars, main }, RUN_MS);
    const findings: Finding[] = [];
    for (const route of await fillQueue(gateway)) {
      const counts: Rows[] = [];
      const times = Math.max(1, Math.round(TIMES * rounds * scale));
      for (let time = 0; time < times; time++) {
        signal.throwIfAborted();
        counts.push(await rowsOf(gateway, route));
      }
      findings.push(
        ...(["read", "written"] as const).map((way): Finding => ({
          what: `rows ${way}, ${route.name}`,
          unit: "rows",
          value: spreadOf(counts.map((count) => count[way])),
          goal: null,
        })),
      );
    }
    return {
      results: [],
      findings,
      notes: [
        "As SQLite tells of every statement of the Tenant, Lane and Job objects, what a request sets off within 100 ms included; the least and the most stand in brackets.",
        "One request at a time on the real gateway and objects, whose storage notes what it reads.",
      ],
    };
  },
};

async function rowsOf(gateway: QueueGateway, { path, body, status }: Route): Promise<Rows> {
  await takeRows(gateway);
  const answer = await fetch(new URL(path, gateway.url), {
    method: body === null ? "GET" : "POST",
    headers: headersOf(gateway),
    body,
  });
  const text = await answer.text();
  if (answer.status !== status) {
    throw new Error(`Cannot count the rows of ${path}: ${answer.status} ${text.slice(0, 300)}`);
  }
  await sleep(AFTERWARDS_MS);
  return await takeRows(gateway);
}

/** The rows since the last time. */
async function takeRows({ url }: QueueGateway): Promise<Rows> {
  const answer = await fetch(new URL("/bench/rows", url));
  return Rows.parse(await answer.json());
}
