import { contest, ratioOf, type Result } from "../contest.ts";
import { BenchContainers } from "../servers/bench-containers.ts";
import { BenchEngine } from "../servers/bench-engine.ts";
import { spreadOf } from "../statistics.ts";
import type { Finding, Suite } from "../suite.ts";
import { plainEntrant } from "./plain-entrant.ts";

/** More at once only wait for each other in the engine. */
const CALLERS = 4;
const SECONDS = 8;
/** Long enough that every spare is taken, and each run waits for its container as the next ones will. */
const LEAD_IN_SECONDS = 3;
const LEAST = 0.9;

/** Containers a second, against what the engine itself can make of the same. */
export const sustained: Suite = {
  name: "sustained",
  title: `Containers a second, ${CALLERS} at once`,
  async run({ root, rounds, scale, say, signal }) {
    await using engine = await BenchEngine.prepare(root, say);
    const results: Result[] = [];
    const findings: Finding[] = [];
    for (const runtime of engine.runtimes) {
      say(`  under ${runtime}`);
      await using bulkhead = await BenchContainers.start({ root, engine, runtime, env: {} });
      const load = { kind: "closed", callers: CALLERS, seconds: SECONDS * scale } as const;
      await using plain = await plainEntrant(engine, runtime, "api-unread", load, bulkhead.atRest);
      const [ours, ceiling] = await contest(
        [await bulkhead.straight(`executor, ${runtime}`, load), plain],
        { rounds, leadInSeconds: LEAD_IN_SECONDS * scale, signal },
      );
      if (ours === undefined || ceiling === undefined) continue;
      results.push(ours, ceiling);
      findings.push(
        ...[ours, ceiling].map((result): Finding => ({
          what: `containers a second, ${result.name}`,
          unit: "/s",
          value: spreadOf(result.rounds.map(({ perSecond }) => perSecond)),
          goal: null,
        })),
        {
          what: `containers a second, ${ours.name}, over ${ceiling.name}`,
          unit: "x",
          value: ratioOf(ours, ceiling, ({ perSecond }) => perSecond),
          goal: { at: "least", bound: LEAST },
        },
      );
    }
    return {
      results,
      findings,
      notes: [
        "The engine's own ceiling reads no output and has nothing that ends a run: it is the least that a container costs.",
        "A lead-in takes the spares first, so that a rate is of containers that were made, not of those that stood ready.",
        ...engine.notes,
      ],
    };
  },
};
