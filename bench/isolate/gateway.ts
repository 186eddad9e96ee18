import { mkdirSync } from "node:fs";
import { join } from "node:path";

import { startStack } from "../../scripts/stack/stack.ts";
import { contest, ratioOf, type Result } from "../contest.ts";
import { mintBenchKey } from "../servers/bench-tenant.ts";
import { GatewayClients } from "../servers/gateway-clients.ts";
import { BenchSandbox, entrant } from "../servers/sandbox.ts";
import { WorkerdGateway } from "../servers/workerd.ts";
import type { Finding, Suite } from "../suite.ts";

const SECONDS = 3;
const MOST = 1.25;

const MODES = ["run", "tenant"] as const;

/** The whole way through the gateway against the same run straight to the sandbox-worker. */
export const gateway: Suite = {
  name: "gateway",
  title: "The gateway's whole way, one caller",
  async run({ root, rounds, scale, say }) {
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
      const byWorkerd = await clients.client({
        name: `gateway on workerd serve, ${isolation}`,
        target: { url: workerd.url, key, isolation },
        measuredPids: [workerd.pid, sandbox.pid],
      });
      const byMiniflare = await clients.client({
        name: `gateway in Miniflare, ${isolation}`,
        target: { url: stack.gateway, key: miniflareKey, isolation },
        measuredPids: [...(miniflarePid === null ? [] : [miniflarePid]), sandbox.pid],
      });
      const [straight, ...gateways] = await contest(
        [entrant(direct, load), entrant(byWorkerd, load), entrant(byMiniflare, load)],
        { rounds, leadInSeconds: scale },
      );
      if (straight === undefined) continue;
      results.push(straight, ...gateways);
      findings.push(
        ...gateways.map((through, at) => ({
          what: `p50, ${through.name}, over the run straight`,
          unit: "x" as const,
          value: ratioOf(through, straight, ({ p50 }) => p50),
          goal: at === 0 ? { at: "most" as const, bound: MOST } : null,
        })),
      );
    }
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
