import { contest, ratioOf, type Result } from "../contest.ts";
import { LoadProcess } from "../load/load-process.ts";
import { installPeer, N8N_RUNNER } from "../peers/install-peer.ts";
import type { N8nTarget } from "../peers/n8n-broker.ts";
import { BenchSandbox, entrant } from "../servers/sandbox.ts";
import type { Finding, Goal, Suite } from "../suite.ts";

const SECONDS = 3;
const TENANTS = 4;

/** What `run` and `tenant` mode are to reach of n8n's rate, at how many callers. */
const GOALS: readonly {
  readonly callers: number;
  readonly run: Goal | null;
  readonly tenant: Goal | null;
}[] = [
  { callers: 1, run: null, tenant: null },
  { callers: 16, run: { at: "least", bound: 1 }, tenant: { at: "least", bound: 3 } },
];

/** The same job by n8n's task runner, which separates runs by `node:vm` contexts in one process. */
export const besideN8n: Suite = {
  name: "n8n",
  title: `Beside n8n's task runner ${N8N_RUNNER.version}, closed loop`,
  async run({ root, folder, rounds, scale, say, signal }) {
    say(`  ${N8N_RUNNER.name}@${N8N_RUNNER.version} is installed once, into .bulkhead/bench`);
    const installed = await installPeer(folder, N8N_RUNNER);
    await using sandbox = await BenchSandbox.start(root);
    const run = await sandbox.client({
      name: "Bulkhead, isolation run",
      isolation: "run",
      tenants: TENANTS,
    });
    const tenant = await sandbox.client({
      name: "Bulkhead, isolation tenant",
      isolation: "tenant",
      tenants: TENANTS,
    });
    const results: Result[] = [];
    const findings: Finding[] = [];
    for (const { callers, ...goals } of GOALS) {
      say(`  ${callers} at once`);
      const target: N8nTarget = { folder: installed, maxConcurrency: callers };
      await using broker = await LoadProcess.start(
        new URL("../peers/n8n-broker.ts", import.meta.url),
        target,
      );
      const n8n = { name: "n8n task runner", client: broker, measuredPids: [broker.contenderPid] };
      const load = { kind: "closed", callers, seconds: SECONDS * scale } as const;
      const [byRun, byTenant, byN8n] = await contest(
        [entrant(run, load), entrant(tenant, load), entrant(n8n, load)],
        { rounds, leadInSeconds: scale, signal },
      );
      if (byRun === undefined || byTenant === undefined || byN8n === undefined) continue;
      results.push(byRun, byTenant, byN8n);
      const gain = (mode: "run" | "tenant", ours: Result): Finding => ({
        what: `jobs/s with ${callers} at once, ${mode} over n8n`,
        unit: "x",
        value: ratioOf(ours, byN8n, ({ perSecond }) => perSecond),
        goal: goals[mode],
      });
      findings.push(gain("run", byRun), gain("tenant", byTenant));
    }
    return {
      results,
      findings,
      notes: [
        "As each is deployed: n8n's runner is one process, Bulkhead uses every core. The CPU time a job is beside it.",
        "n8n's quickest way (`runCode`), and the flags that n8n starts it with; its client is a minimal broker.",
      ],
    };
  },
};
