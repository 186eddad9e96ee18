import { contest, type Measurement, ratioOf, type Result } from "../contest.ts";
import type { Load } from "../load/load.ts";
import { BenchContainers } from "../servers/bench-containers.ts";
import { BenchEngine } from "../servers/bench-engine.ts";
import { spreadOf } from "../statistics.ts";
import type { Finding, Goal, Section, Suite } from "../suite.ts";
import { plainEntrant } from "./plain-entrant.ts";

type Context = Parameters<Suite["run"]>[0];

export interface Comparison {
  /** What the executor is told beside its shipped defaults. */
  readonly env: Readonly<Record<string, string>>;
  /** How runs are asked for; the plain container always one at a time, which is its best. */
  readonly load: (scale: number) => Load;
  /** What the time to the first output is to reach of the plain container's. */
  readonly goals: Readonly<Record<"executor" | "gateway", Goal>>;
  /** The same for the executor's 99th percentile. */
  readonly tailGoal: Goal | null;
}

const PLAIN_SECONDS = 5;

/** Runs at the executor and through the gateway, beside plain containers, under each runtime. */
export async function besidePlain(
  { root, rounds, scale, say, signal }: Context,
  comparison: Comparison,
): Promise<Omit<Section, "suite" | "title">> {
  await using engine = await BenchEngine.prepare(root, say);
  const results: Result[] = [];
  const findings: Finding[] = [];
  for (const runtime of engine.runtimes) {
    say(`  under ${runtime}`);
    const { env } = comparison;
    await using bulkhead = await BenchContainers.start({ root, engine, runtime, env });
    const load = comparison.load(scale);
    const alone = { kind: "closed", callers: 1, seconds: PLAIN_SECONDS * scale } as const;
    await using plain = await plainEntrant(engine, runtime, "command", alone, bulkhead.atRest);
    await using api = await plainEntrant(engine, runtime, "api", alone, bulkhead.atRest);
    const ours = [
      await bulkhead.straight(`executor, ${runtime}`, load),
      await bulkhead.through(`gateway, POST /v1/run, ${runtime}`, "run-stream", load),
      await bulkhead.through(`gateway, POST /v1/jobs and events, ${runtime}`, "job-stream", load),
    ];
    const entrants = [...ours, plain, ...(engine.hasCommand ? [api] : [])];
    for (const entrant of entrants) {
      await bulkhead.atRest();
      await entrant.run({ kind: "closed", callers: 1, seconds: 0 });
    }
    const told = await contest(entrants, { rounds, leadInSeconds: 0, signal });
    results.push(...told);
    findings.push(...findingsOf(told, comparison));
  }
  return { results, findings, notes: [...NOTES, ...engine.notes] };
}

const NOTES = [
  "Each row is timed to the end: the executor's `end`, the job's `done`, the exit of `docker run`. The time to the first output stands below it.",
  "The same python image, program and limits for all: the shipped defaults of the lane. Plain containers run one at a time, which is their best.",
  "The gateway is on workerd serve; the state of its Durable Objects lies in memory where the machine has such a file system.",
];

function findingsOf(
  [straight, byRun, byJob, plain]: readonly Result[],
  { goals, tailGoal }: Comparison,
): Finding[] {
  if (!straight || !byRun || !byJob || !plain) return [];
  const ratio = (what: string, ours: Result, goal: Goal | null, figure: Figure): Finding => ({
    what: `${what}, ${ours.name}, over ${plain.name}`,
    unit: "x",
    value: ratioOf(ours, plain, figure),
    goal,
  });
  return [
    ...[straight, byRun, byJob, plain].map((result): Finding => ({
      what: `first output p50, ${result.name}`,
      unit: "ms",
      value: spreadOf(result.rounds.map(firstOutput)),
      goal: null,
    })),
    ratio("first output p50", straight, goals.executor, firstOutput),
    ratio("first output p99", straight, tailGoal, firstOutputTail),
    ratio("first output p50", byRun, goals.gateway, firstOutput),
    ratio("first output p50", byJob, goals.gateway, firstOutput),
    ratio("done p50", straight, null, done),
    ratio("done p50", byRun, null, done),
  ];
}

type Figure = (measurement: Measurement) => number;

const firstOutput: Figure = ({ spans }) => spans["firstOutputMs"] ?? Number.NaN;
const firstOutputTail: Figure = ({ spanTails }) => spanTails["firstOutputMs"] ?? Number.NaN;
const done: Figure = ({ p50 }) => p50;
