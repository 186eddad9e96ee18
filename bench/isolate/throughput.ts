import { contest, ratioOf, type Result } from "../contest.ts";
import { rawIsolatedVm } from "../peers/raw.ts";
import { BenchSandbox, entrant } from "../servers/sandbox.ts";
import type { Finding, Suite } from "../suite.ts";

/** Enough to keep two cores and the wire busy, few enough that nothing queues for long. */
const CALLERS = 16;
const TENANTS = 4;
const SECONDS = 3;

/** The cores that the service is given, against the one of a bare loop. */
const CORES = 2;

const LEAST = 1.8;

/** Work done on both cores, against a bare loop on one. */
export const throughput: Suite = {
  name: "throughput",
  title: "Throughput on both cores, closed loop",
  async run({ root, rounds, scale, signal }) {
    await using sandbox = await BenchSandbox.start(root);
    await using fresh = await rawIsolatedVm("fresh-sync");
    await using kept = await rawIsolatedVm("kept-sync");
    const busy = { kind: "closed", callers: CALLERS, seconds: SECONDS * scale } as const;
    const alone = { ...busy, callers: 1 };
    const ofMode = async (isolation: "run" | "tenant") =>
      entrant(
        await sandbox.client({
          name: `Bulkhead, isolation ${isolation}, ${TENANTS} tenants`,
          isolation,
          tenants: TENANTS,
        }),
        busy,
      );
    const results = await contest(
      [await ofMode("run"), entrant(fresh, alone), await ofMode("tenant"), entrant(kept, alone)],
      { rounds, leadInSeconds: scale, signal },
    );
    const [run, bareFresh, tenant, bareKept] = results;
    return {
      results,
      findings: [...gains("run", run, bareFresh), ...gains("tenant", tenant, bareKept)],
      notes: [
        `"By CPU time" is what ${CORES} cores would do if the client ran elsewhere: ${CORES} times the bare loop's CPU time a job, over that of the service and its cages.`,
        '"As it ran" has the client on the same cores, too.',
      ],
    };
  },
};

function gains(mode: string, ours: Result | undefined, bare: Result | undefined): Finding[] {
  if (ours === undefined || bare === undefined) return [];
  const byCpu = ratioOf(bare, ours, ({ cpuUs }) => cpuUs);
  return [
    {
      what: `jobs/s by CPU time, ${mode} on ${CORES} cores over a bare loop on one`,
      unit: "x",
      value: {
        median: CORES * byCpu.median,
        low: CORES * byCpu.low,
        high: CORES * byCpu.high,
      },
      goal: { at: "least", bound: LEAST },
    },
    {
      what: `jobs/s as it ran, ${mode} over a bare loop`,
      unit: "x",
      value: ratioOf(ours, bare, ({ perSecond }) => perSecond),
      goal: null,
    },
  ];
}
