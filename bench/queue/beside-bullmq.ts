import { join } from "node:path";

import { contest, type Entrant, type Measurement, ratioOf, type Result } from "../contest.ts";
import type { JobTarget } from "../load/job-client.ts";
import { LoadProcess } from "../load/load-process.ts";
import type { Load } from "../load/load.ts";
import type { BullmqPlace } from "../peers/bullmq.ts";
import { BULLMQ, installPeer } from "../peers/install-peer.ts";
import { BenchRedis, prepareRedis, type RedisSync } from "../peers/redis.ts";
import { BenchQueue, type QueueGateway } from "../servers/bench-queue.ts";
import { type Client, entrant } from "../servers/sandbox.ts";
import type { Finding, Goal, Suite } from "../suite.ts";
import { NO_OP_REQUEST } from "../work.ts";

const SECONDS = 4;
const TENANTS = 10;
const CALLERS = 16;

/** Jobs a second and the time of one, beside BullMQ, which does the same with Redis. */
export const besideBullmq: Suite = {
  name: "bullmq",
  title: `No-op jobs beside BullMQ ${BULLMQ.version} on Redis, closed loop`,
  async run({ root, folder, rounds, scale, say, signal }) {
    say(`  ${BULLMQ.name}@${BULLMQ.version} is installed once, into .bulkhead/bench`);
    const installed = await installPeer(folder, BULLMQ);
    const redis = await prepareRedis(join(root, ".bulkhead"), say);
    await using owned = new AsyncDisposableStack();
    const queue = owned.use(await BenchQueue.start(root, true));
    const alone = await queue.alone({ name: "alone", tenants: TENANTS });
    const whole = await queue.whole({ name: "whole", tenants: 1 });
    const jobs = async (name: string, gateway: QueueGateway, tenants: number): Promise<Client> => {
      const { url, keys, pids } = gateway;
      const target: JobTarget = {
        url,
        keys: keys.slice(0, tenants),
        way: "job-wait",
        body: NO_OP_REQUEST,
        expected: "1",
      };
      const entry = new URL("../load/job-client.ts", import.meta.url);
      const client = owned.use(await LoadProcess.start(entry, target));
      return { name, client, measuredPids: pids };
    };
    const bullmq = async (sync: RedisSync): Promise<Client> => {
      const server = owned.use(await BenchRedis.start(redis, join(queue.folder, sync), sync));
      const place: BullmqPlace = { folder: installed, port: server.port };
      const entry = new URL("../peers/bullmq-client.ts", import.meta.url);
      const client = owned.use(await LoadProcess.start(entry, place));
      return {
        name: `BullMQ, append-only file synced ${sync}`,
        client,
        measuredPids: [server.pid, client.contenderPid],
      };
    };
    const clients = [
      await jobs("Bulkhead, the queue alone, 1 tenant", alone, 1),
      await jobs(`Bulkhead, the queue alone, ${TENANTS} tenants`, alone, TENANTS),
      await jobs("Bulkhead, run in isolates, 1 tenant", whole, 1),
      await bullmq("everysec"),
      await bullmq("always"),
    ];
    const against = async (load: Load) => {
      const entrants: Entrant[] = clients.map((client) => entrant(client, load));
      return await contest(entrants, { rounds, leadInSeconds: scale, signal });
    };
    say(`  ${CALLERS} callers`);
    const many = await against({ kind: "closed", callers: CALLERS, seconds: SECONDS * scale });
    say("  one caller");
    const one = await against({ kind: "closed", callers: 1, seconds: SECONDS * scale });
    return {
      results: [...many, ...one],
      findings: [...rates(many), ...latencies(one)],
      notes: [
        'A job is one request, POST /v1/jobs with "Prefer: wait": from its sending to the answer that says it is done. Of BullMQ, from `add` to its `completed` event; its worker is a process of its own, 16 jobs at once.',
        "\"The queue alone\" has a process in the executor's place that checks signatures, answers at once and runs nothing: BullMQ's worker does no more.",
        `Gateway on workerd serve. The state of the Durable Objects and Redis's append-only file lie side by side in ${queue.folder}: what a sync costs there, it costs both.`,
        "A job's request is answered after its commit; with everysec a crash of the machine may take up to a second of BullMQ's.",
      ],
    };
  },
};

const figures = {
  rate: ({ perSecond }: Measurement) => perSecond,
  p50: ({ p50 }: Measurement) => p50,
};

function rates([one, ten, whole, everysec, always]: readonly Result[]): Finding[] {
  if (!one || !ten || !whole || !everysec || !always) return [];
  const over = (ours: Result, peer: Result, bound: number | null): Finding => ({
    what: `jobs/s with ${CALLERS} callers, ${ours.name}, over ${peer.name}`,
    unit: "x",
    value: ratioOf(ours, peer, figures.rate),
    goal: bound === null ? null : { at: "least", bound },
  });
  return [
    over(one, everysec, 0.6),
    over(ten, everysec, 1),
    over(whole, everysec, null),
    over(one, always, 1.2),
    over(ten, always, 1.2),
  ];
}

function latencies([one, , whole, everysec, always]: readonly Result[]): Finding[] {
  if (!one || !whole || !everysec || !always) return [];
  const over = (ours: Result, peer: Result, goal: Goal | null): Finding => ({
    what: `p50 alone, ${ours.name}, over ${peer.name}`,
    unit: "x",
    value: ratioOf(ours, peer, figures.p50),
    goal,
  });
  return [
    over(one, everysec, { at: "most", bound: 1.5 }),
    over(one, always, null),
    over(whole, everysec, null),
  ];
}
