import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { routes } from "./api/routes.ts";
import { rows } from "./api/rows.ts";
import { type BenchOptions, type ChosenLane, readCommandLine, USAGE } from "./command-line.ts";
import { cold } from "./container/cold.ts";
import { spare } from "./container/spare.ts";
import { sustained } from "./container/sustained.ts";
import { besideN8n } from "./isolate/beside-n8n.ts";
import { gateway } from "./isolate/gateway.ts";
import { latency } from "./isolate/latency.ts";
import { payload } from "./isolate/payload.ts";
import { refill } from "./isolate/refill.ts";
import { spans } from "./isolate/spans.ts";
import { throughput } from "./isolate/throughput.ts";
import { warm } from "./isolate/warm.ts";
import { describeMachine, USABLE_CORES_MIN, usableCores } from "./machine.ts";
import { besideBullmq } from "./queue/beside-bullmq.ts";
import { withResults } from "./readme-block.ts";
import { headOf, linesOf, type Report } from "./report.ts";
import type { Section, Suite } from "./suite.ts";

/** What one lane is measured by. */
type LaneOptions = Omit<BenchOptions, "lanes">;

const LANES = {
  isolate: [latency, throughput, warm, besideN8n, gateway, spans, refill, payload],
  container: [spare, cold, sustained],
  queue: [besideBullmq],
  api: [routes, rows],
} as const;

/** Of a quick look: each measurement takes a twentieth of its time. */
const QUICK_SCALE = 0.05;

const root = join(import.meta.dirname, "..");

/** A first signal lets the suite under way close what it opened; a second one ends the bench at once. */
const interruption = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) {
  process.once(name, () => interruption.abort(new Error(`Cannot go on: ${name}`)));
}

async function main({ lanes, ...options }: BenchOptions): Promise<void> {
  for (const lane of lanes) await measure(lane, options);
}

async function measure(lane: ChosenLane, options: LaneOptions): Promise<void> {
  const machine = describeMachine(new Date());
  const before = await usableCores();
  if (before < USABLE_CORES_MIN && !options.anyway) {
    throw new Error(
      `Cannot measure: ${before.toFixed(2)} cores are usable, and below ${USABLE_CORES_MIN} the others' work would be in every number (--anyway reports all the same, marked)`,
    );
  }
  const folder = join(root, ".bulkhead/bench");
  mkdirSync(folder, { recursive: true });
  const found = await runSuites(lane.suites, options, folder);
  const after = await usableCores();
  const report: Report = {
    machine,
    usableCores: { before, after },
    rounds: options.rounds,
    doubts: doubtsOf(options.quick, Math.min(before, after)),
    ...found,
  };
  print(report);
  const path = join(folder, `${lane.name}-${machine.date.replaceAll(":", "-")}.json`);
  writeFileSync(path, `${JSON.stringify(report, null, 2)}\n`);
  console.log(`\n${path}\n`);
  const isWhole = report.notMeasured.length === 0;
  if (options.writeReadme && isWhole) {
    const readme = join(root, "bench/README.md");
    writeFileSync(readme, withResults(readFileSync(readme, "utf8"), lane.name, report));
  }
  // A goal that was missed is a finding; only what could not be measured is a failure.
  if (!isWhole) process.exitCode = 1;
}

async function runSuites(
  suites: readonly Suite[],
  { rounds, quick }: LaneOptions,
  folder: string,
): Promise<Pick<Report, "sections" | "notMeasured">> {
  const say = (line: string) => console.error(line);
  const { signal } = interruption;
  const context = { root, folder, rounds, scale: quick ? QUICK_SCALE : 1, signal, say };
  const sections: Section[] = [];
  const notMeasured: Report["notMeasured"][number][] = [];
  for (const suite of suites) {
    const { name, title } = suite;
    say(title);
    try {
      sections.push({ suite: name, title, ...(await suite.run(context)) });
    } catch (error) {
      // What a suite had open is closed by now.
      signal.throwIfAborted();
      notMeasured.push({ title, why: error instanceof Error ? error.message : String(error) });
    }
  }
  return { sections, notMeasured };
}

function doubtsOf(quick: boolean, usable: number): readonly string[] {
  return [
    ...(usable < USABLE_CORES_MIN
      ? [`fewer than ${USABLE_CORES_MIN} cores were usable: the figures are not to be relied on`]
      : []),
    ...(quick ? ["a quick look: it shows that everything runs, and measures nothing"] : []),
  ];
}

function print(report: Report): void {
  for (const line of headOf(report)) console.log(line);
  for (const section of report.sections) {
    console.log(`\n${section.title}`);
    for (const line of linesOf(section, report.doubts.length > 0)) console.log(line);
  }
  for (const { title, why } of report.notMeasured) console.log(`\n${title}\nNot measured: ${why}`);
}

try {
  await main(readCommandLine(process.argv.slice(2), LANES));
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  if (error instanceof TypeError) console.error(`\n${USAGE}`);
  process.exitCode = 1;
}
