import { mkdirSync } from "node:fs";
import { join } from "node:path";

import { startStack } from "../../scripts/stack/stack.ts";
import { contest, ratioOf, type Result } from "../contest.ts";
import { mintBenchKey } from "../servers/bench-tenant.ts";
import { GatewayClients } from "../servers/gateway-clients.ts";
import { BenchSandbox, entrant } from "../servers/sandbox.ts";
import { WorkerdGateway } from "../servers/workerd.ts";
import { spreadOf } from "../statistics.ts";
import type { Finding, Goal, Suite } from "../suite.ts";

const SECONDS = 3;
const MOST = 1.25;

const MODES = ["run", "tenant"] as const;

/** The whole way through the gateway against the same run straight to the sandbox-worker. */
export const gateway: Suite = {
  name: "gateway",
  title: "The gateway's whole way, one caller",
  async run({ root, rounds, scale, say, signal }) {
    const stack = await startStack({ root });
    await using cleanup = new AsyncDisposableStack();
    cleanup.defer(() => stack.stop());
    const folder = join(stack.folder, "workerd");
    mkdirSync(folder, { recursive: true });
    const workerd = cleanup.use(
      await WorkerdGateway.start({
        root,
        folder,
        values: { ...stack.secrets, SANDBOX_URLS: stack.sandbox },
      }),
    );
    const sandbox = cleanup.use(BenchSandbox.of(stack));
    const clients = cleanup.use(new GatewayClients());
    const { ADMIN_TOKEN: adminToken } = stack.secrets;
    const key = await mintBenchKey(workerd.url, adminToken);
    const miniflareKey = await mintBenchKey(stack.gateway, adminToken);
    const miniflarePid = stack.describe().pids.gateway;
    const load = { kind: "closed", callers: 1, seconds: SECONDS * scale } as const;
    const results: Result[] = [];
    const findings: Finding[] = [];
    for (const isolation of MODES) {
      say(`  isolation ${isolation}`);
      const direct = await sandbox.client({
        name: `straight to the sandbox-worker, ${isolation}`,
        isolation,
        tenants: 1,
      });
      const byWorkerd = await clients.runs({
        name: `gateway on workerd serve, ${isolation}`,
        target: { url: workerd.url, key, isolation },
        measuredPids: [workerd.pid, sandbox.pid],
      });
      const byMiniflare = await clients.runs({
        name: `gateway in Miniflare, ${isolation}`,
        target: { url: stack.gateway, key: miniflareKey, isolation },
        measuredPids: [...(miniflarePid === null ? [] : [miniflarePid]), sandbox.pid],
      });
      const [straight, ...gateways] = await contest(
        [entrant(direct, load), entrant(byWorkerd, load), entrant(byMiniflare, load)],
        { rounds, leadInSeconds: scale, signal },
      );
      if (straight === undefined) continue;
      results.push(straight, ...gateways);
      gateways.forEach((through, at) => {
        const goal = at === 0 ? ({ at: "most", bound: MOST } as const) : null;
        findings.push(...overheadOf(through, straight, goal));
      });
    }
    say("  requests that run nothing");
    const authorization = `Bearer ${key}`;
    const asked = await Promise.all(
      [
        { what: "HTTP and routing alone", path: "/healthz", headers: {} },
        {
          what: "and the key, and the tenant's object",
          path: "/v1/limits",
          headers: { authorization },
        },
      ].map(({ what, path, headers }) =>
        clients.asks(`workerd serve, GET ${path}: ${what}`, { url: workerd.url, path, headers }, [
          workerd.pid,
        ]),
      ),
    );
    results.push(
      ...(await contest(
        asked.map((client) => entrant(client, load)),
        { rounds, leadInSeconds: scale, signal },
      )),
    );
    return {
      results,
      findings,
      notes: [
        "The whole way: authenticate, admit in the tenant's Durable Object (rate, concurrency and quota in one call), sign, run, answer; usage settled after the answer.",
        `State of both gateways in ${stack.folder}. Limits are the tenant's overrides, so high that none is met.`,
        ...(workerd.leftOut.length === 0
          ? []
          : [`workerd goes without the bindings ${workerd.leftOut.join(", ")}.`]),
      ],
    };
  },
};

function overheadOf(through: Result, straight: Result, goal: Goal | null): Finding[] {
  const added = through.rounds.map(({ p50 }, round) => p50 - (straight.rounds[round]?.p50 ?? 0));
  return [
    {
      what: `p50, ${through.name}, over the run straight`,
      unit: "x",
      value: ratioOf(through, straight, ({ p50 }) => p50),
      goal,
    },
    { what: `p50 added, ${through.name}`, unit: "ms", value: spreadOf(added), goal: null },
  ];
}
