import { middleOf, type Result } from "./contest.ts";
import type { Load } from "./load/load.ts";
import type { Machine } from "./machine.ts";
import type { Finding, Goal, Section } from "./suite.ts";
import { isReached } from "./suite.ts";

/** A whole run of the bench. */
export interface Report {
  readonly machine: Machine;
  /** Before the first measurement, and after the last. */
  readonly usableCores: { readonly before: number; readonly after: number };
  readonly rounds: number;
  /** Why the figures are not to be relied on; each row bears the mark then. Empty for a sound run. */
  readonly doubts: readonly string[];
  readonly sections: readonly Section[];
  /** Suites that could not be run to their end: they have no figures at all. */
  readonly notMeasured: readonly { readonly title: string; readonly why: string }[];
}

/** Set before every row of a report in doubt. */
const MARK = "! ";

/** The head of a report: what it was measured on, and what is wrong with it. */
export function headOf({ machine, usableCores, rounds, doubts }: Report): readonly string[] {
  const { cpu, cores, memoryGib, node, v8, date } = machine;
  const { before, after } = usableCores;
  return [
    `${date}, Node ${node} (V8 ${v8}), ${cpu}, ${cores} cores, ${memoryGib} GiB`,
    `usable cores ${before.toFixed(2)} before, ${after.toFixed(2)} after; ${rounds} interleaved rounds, medians`,
    ...doubts.map((doubt) => `${MARK}${doubt}`),
  ];
}

/** One section as lines of text: a table of what was measured, then what was looked for in it. */
export function linesOf(section: Section, inDoubt: boolean): readonly string[] {
  const mark = inDoubt ? MARK : "";
  const table = [COLUMNS, ...section.results.map(cellsOf)];
  return [
    ...(section.results.length === 0 ? [] : align(table).map((line) => `${mark}${line}`)),
    ...section.findings.map((finding) => `${mark}${sentenceOf(finding)}`),
    ...section.notes.map((note) => `  ${note}`),
  ];
}

const COLUMNS = [
  "",
  "load",
  "n",
  "p50 ms",
  "p90 ms",
  "p99 ms",
  "per s",
  "CPU us",
  "client us",
  "late ms",
];

function cellsOf(result: Result): readonly string[] {
  const { count, p50, p90, p99, perSecond, cpuUs, clientCpuUs, lateMs } = middleOf(result);
  return [
    result.name,
    loadText(result.load),
    count.toFixed(0),
    p50.toFixed(2),
    p90.toFixed(2),
    p99.toFixed(2),
    perSecond.toFixed(perSecond < 10 ? 1 : 0),
    // Work of no process that was named is not counted, and has cost something all the same.
    cpuUs === 0 ? "-" : cpuUs.toFixed(0),
    clientCpuUs === null ? "-" : clientCpuUs.toFixed(0),
    result.load.kind === "open" ? lateMs.toFixed(1) : "-",
  ];
}

const loadText = (load: Load): string =>
  load.kind === "open" ? `open ${load.perSecond}/s` : `closed ${load.callers}`;

/** A finding as one line, its goal and whether it was reached included. */
export function sentenceOf({ what, unit, value, goal }: Finding): string {
  const text = (figure: number) => `${figure.toFixed(digits(unit, value.median))}`;
  const spread = `${text(value.median)} ${unit} (${text(value.low)} to ${text(value.high)})`;
  return `${what}: ${spread}${goal === null ? "" : `  ${verdictOf(goal, isReached(goal, value))}`}`;
}

const verdictOf = ({ at, bound }: Goal, reached: boolean): string =>
  `goal at ${at} ${bound}: ${reached ? "reached" : "MISSED"}`;

function digits(unit: Finding["unit"], median: number): number {
  if (unit === "/s") return median < 100 ? 1 : 0;
  if (unit === "rows") return 0;
  // Of a hundredth, two digits would say nothing.
  if (unit === "x" && median < 0.1) return 4;
  return unit === "ms" && median >= 100 ? 0 : 2;
}

function align(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = COLUMNS.map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, at) => (at < 2 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0)))
      .join("  ")
      .trimEnd(),
  );
}
