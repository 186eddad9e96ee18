import { contest, type Entrant, type Result } from "../contest.ts";
import { LoadProcess } from "../load/load-process.ts";
import type { PingTarget } from "../load/ping-client.ts";
import { BenchQueue, type QueueGateway } from "../servers/bench-queue.ts";
import { type Client, entrant } from "../servers/sandbox.ts";
import { spreadOf } from "../statistics.ts";
import type { Finding, Suite } from "../suite.ts";
import { fillQueue, headersOf, QUEUED, type Route } from "./full-queue.ts";

/** Of each route at the same time. */
const PER_SECOND = 25;
const SECONDS = 6;
const SEED = 20_261_124;
const MOST_MS = 200;

/** Few and slow, so that the queue moves and stays as long as it is: more is submitted than is run. */
const SLOTS = 2;
const RUN_MS = 400;

/** The routes of the queue, all asked at once, while a thousand jobs wait. */
export const routes: Suite = {
  name: "routes",
  title: `Routes with ${QUEUED.toLocaleString("en")} jobs queued, open loop at ${PER_SECOND} requests a second each`,
  async run({ root, rounds, scale, signal }) {
    await using owned = new AsyncDisposableStack();
    const queue = owned.use(await BenchQueue.start(root, false));
    const vars = { QUEUE_MAX_PER_TENANT: "20000", MAX_CONCURRENT_ISOLATE_JOBS: String(SLOTS) };
    const gateway = await queue.alone({ name: "routes", tenants: 1, vars }, RUN_MS);
    const clients: Client[] = [];
    for (const route of await fillQueue(gateway)) clients.push(await ask(gateway, route, owned));
    const load = {
      kind: "open",
      perSecond: PER_SECOND,
      seconds: Math.max(1, SECONDS * scale),
      seed: SEED,
    } as const;
    const results = await contest(
      clients.map((client) => together(entrant(client, load), clients)),
      { rounds, leadInSeconds: scale, signal },
    );
    return {
      results,
      findings: results.map(tailOf),
      notes: [
        "While one route is measured, the other three are asked at the same rate.",
        `${QUEUED} jobs of one tenant wait at first, and what is submitted comes on top; ${SLOTS} of them run at a time, ${RUN_MS} ms each, in a process that runs nothing.`,
        `Gateway on workerd serve; the state of its Durable Objects lies in ${queue.folder}. CPU time is that of all four routes, per request of the one.`,
      ],
    };
  },
};

async function ask(
  gateway: QueueGateway,
  { name, path, body, status }: Route,
  owned: AsyncDisposableStack,
): Promise<Client> {
  const target: PingTarget = { url: gateway.url, path, headers: headersOf(gateway), body, status };
  const entry = new URL("../load/ping-client.ts", import.meta.url);
  const client = owned.use(await LoadProcess.start(entry, target));
  return { name, client, measuredPids: gateway.pids };
}

/** The same contender with all others' load beside its own. */
function together(one: Entrant, all: readonly Client[]): Entrant {
  const others = all.filter(({ name }) => name !== one.name);
  return {
    ...one,
    async run(load) {
      const beside = others.map(({ client }) => client.run(load));
      const [samples] = await Promise.all([one.run(load), ...beside]);
      return samples;
    },
  };
}

const tailOf = ({ name, rounds }: Result): Finding => ({
  what: `p99, ${name}`,
  unit: "ms",
  value: spreadOf(rounds.map(({ p99 }) => p99)),
  goal: { at: "most", bound: MOST_MS },
});
