import { contest, type Measurement, ratioOf, type Result } from "../contest.ts";
import { rawIsolatedVm } from "../peers/raw.ts";
import { BenchSandbox, entrant } from "../servers/sandbox.ts";
import type { Finding, Suite } from "../suite.ts";

/** Requests a second, and for how many seconds: enough requests that a 99th percentile is one. */
const LOADS = [
  { perSecond: 20, seconds: 10 },
  { perSecond: 100, seconds: 5 },
] as const;

const SEED = 20_261_122;

const P50_MOST = 0.5;
const P99_MOST = 1;

/** HTTP in to answer with a fresh isolate, against bare isolated-vm that makes its isolate when asked. */
export const latency: Suite = {
  name: "latency",
  title: "Latency of a fresh isolate, open loop",
  async run({ root, rounds, scale, say, signal }) {
    await using sandbox = await BenchSandbox.start(root);
    await using raw = await rawIsolatedVm("fresh-async");
    const bulkhead = await sandbox.client({
      name: "Bulkhead, isolation run, signed HTTP",
      isolation: "run",
      tenants: 1,
    });
    const results: Result[] = [];
    const findings: Finding[] = [];
    for (const { perSecond, seconds } of LOADS) {
      say(`  ${perSecond} requests a second`);
      const load = { kind: "open", perSecond, seconds: seconds * scale, seed: SEED } as const;
      const [ours, theirs] = await contest([entrant(bulkhead, load), entrant(raw, load)], {
        rounds,
        leadInSeconds: scale,
        signal,
      });
      if (ours === undefined || theirs === undefined) continue;
      results.push(ours, theirs);
      const ratio = (what: string, figure: (m: Measurement) => number, bound: number): Finding => ({
        what: `${what} at ${perSecond}/s, Bulkhead over bare isolated-vm`,
        unit: "x",
        value: ratioOf(ours, theirs, figure),
        goal: { at: "most", bound },
      });
      findings.push(ratio("p50", ({ p50 }) => p50, P50_MOST));
      findings.push(ratio("p99", ({ p99 }) => p99, P99_MOST));
    }
    return {
      results,
      findings,
      notes: [
        "Arrivals are random, and the same for both in a round. Timed from sending to the whole answer.",
        "Bare isolated-vm has no HTTP, no runtime library and nothing that ends a hostile run.",
      ],
    };
  },
};
