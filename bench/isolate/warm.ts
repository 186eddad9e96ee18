import { contest } from "../contest.ts";
import { BenchSandbox, entrant } from "../servers/sandbox.ts";
import { spreadOf } from "../statistics.ts";
import type { Suite } from "../suite.ts";

const CALLERS = 16;
const SECONDS = 3;
const LEAST_PER_SECOND = 3000;

/** The same code called again and again, its module kept between runs. */
export const warm: Suite = {
  name: "warm",
  title: "Warm instances, closed loop",
  async run({ root, rounds, scale, signal }) {
    await using sandbox = await BenchSandbox.start(root);
    const load = { kind: "closed", callers: CALLERS, seconds: SECONDS * scale } as const;
    const of = async (tenants: number) =>
      entrant(
        await sandbox.client({
          name: `Bulkhead, isolation warm, ${tenants} ${tenants === 1 ? "tenant" : "tenants"}`,
          isolation: "warm",
          tenants,
        }),
        load,
      );
    const results = await contest([await of(4), await of(1)], {
      rounds,
      leadInSeconds: scale,
      signal,
    });
    return {
      results,
      findings: results.map((result, at) => ({
        what: `runs a second, ${result.name}`,
        unit: "/s" as const,
        value: spreadOf(result.rounds.map(({ perSecond }) => perSecond)),
        goal: at === 0 ? { at: "least" as const, bound: LEAST_PER_SECOND } : null,
      })),
      notes: ["Every run is an HTTP request of its own, signed; the client is on the same cores."],
    };
  },
};
