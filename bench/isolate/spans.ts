import { contest, type Measurement, type Result } from "../contest.ts";
import { LoadProcess } from "../load/load-process.ts";
import type { PingTarget } from "../load/ping-client.ts";
import { BenchSandbox, entrant } from "../servers/sandbox.ts";
import { spreadOf } from "../statistics.ts";
import type { Finding, Suite } from "../suite.ts";

const SECONDS = 2;

/** Spans that an answer tells of, in the order a run passes them. */
const SPANS = [
  ["queueMs", "waiting for a cage"],
  ["runMs", "the run in its cage"],
  ["restMs", "the rest: HTTP, signature, frames between supervisor and cage"],
] as const;

/** Where the time of one run goes, as its own result tells it. */
export const spans: Suite = {
  name: "spans",
  title: "Where the time of a run goes, one caller",
  async run({ root, rounds, scale, signal }) {
    await using sandbox = await BenchSandbox.start(root);
    const target: PingTarget = { url: sandbox.url, path: "/healthz", headers: {} };
    await using ping = await LoadProcess.start(
      new URL("../load/ping-client.ts", import.meta.url),
      target,
    );
    const load = { kind: "closed", callers: 1, seconds: SECONDS * scale } as const;
    const of = async (isolation: "run" | "tenant" | "warm") =>
      entrant(
        await sandbox.client({ name: `Bulkhead, isolation ${isolation}`, isolation, tenants: 1 }),
        load,
      );
    const http = { name: "GET /healthz", client: ping, measuredPids: [sandbox.pid] };
    const runs = [await of("run"), await of("tenant"), await of("warm")];
    const results = await contest([...runs, entrant(http, load)], {
      rounds,
      leadInSeconds: scale,
      signal,
    });
    return {
      results,
      findings: results.slice(0, runs.length).flatMap(shares),
      notes: [
        "Medians over the requests of a round. GET /healthz is the least that HTTP alone costs.",
      ],
    };
  },
};

function shares(result: Result): Finding[] {
  const finding = (what: string, figure: (m: Measurement) => number): Finding => ({
    what: `${result.name}: ${what}`,
    unit: "ms",
    value: spreadOf(result.rounds.map(figure)),
    goal: null,
  });
  return SPANS.map(([name, what]) => finding(what, ({ spans: told }) => told[name] ?? 0));
}
