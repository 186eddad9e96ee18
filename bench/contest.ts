import type { Load, Samples } from "./load/load.ts";
import { cpuSeconds } from "./process-cpu.ts";
import { latencyOf, median, spreadOf, type Spread } from "./statistics.ts";

/** One of those that are measured beside each other. */
export interface Entrant {
  readonly name: string;
  readonly load: Load;
  /** Awaited before each of its turns: brings it, and what it shares a machine with, to rest. */
  prepare?(): Promise<void>;
  run(load: Load): Promise<Samples>;
  /** Processes whose CPU time, with that of their children, its work costs; none where nobody can tell. */
  readonly measuredPids: readonly number[];
  /** The process that the load comes from, where it is not one of those. */
  readonly clientPid: number | null;
}

/** One entrant in one round. CPU times are microseconds a request. */
export interface Measurement {
  readonly count: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly perSecond: number;
  readonly cpuUs: number;
  readonly clientCpuUs: number | null;
  readonly lateMs: number;
  /** Medians of the spans that the answers told of; milliseconds. */
  readonly spans: Readonly<Record<string, number>>;
  /** Their 99th percentiles. */
  readonly spanTails: Readonly<Record<string, number>>;
}

/** All rounds of one entrant. */
export interface Result {
  readonly name: string;
  readonly load: Load;
  readonly rounds: readonly Measurement[];
}

export interface ContestOptions {
  readonly rounds: number;
  /** Of load before each measurement, counted nowhere; seconds. 0 is none at all. */
  readonly leadInSeconds: number;
  /** Checked before each measurement. */
  readonly signal: AbortSignal;
}

/**
 * Measures entrants beside each other: one after the other, in the same order each round, so that
 * whatever drifts on the machine drifts for all of them.
 */
export async function contest(
  entrants: readonly Entrant[],
  { rounds, leadInSeconds, signal }: ContestOptions,
): Promise<readonly Result[]> {
  const measured = entrants.map(() => [] as Measurement[]);
  for (let round = 0; round < rounds; round++) {
    for (const [at, entrant] of entrants.entries()) {
      signal.throwIfAborted();
      await entrant.prepare?.();
      if (leadInSeconds > 0) {
        const callers = callersOf(entrant.load);
        await entrant.run({ kind: "closed", callers, seconds: leadInSeconds });
      }
      measured[at]?.push(await measure(entrant, reseeded(entrant.load, round)));
    }
  }
  return entrants.map(({ name, load }, at) => ({ name, load, rounds: measured[at] ?? [] }));
}

/** The middle of all rounds, each figure for itself. */
export function middleOf({ rounds }: Result): Measurement {
  const of = (figure: (measurement: Measurement) => number) => median(rounds.map(figure));
  const ofEach = (told: (measurement: Measurement) => Readonly<Record<string, number>>) => {
    const names = rounds[0] === undefined ? [] : Object.keys(told(rounds[0]));
    return Object.fromEntries(names.map((name) => [name, of((one) => told(one)[name] ?? 0)]));
  };
  return {
    count: of(({ count }) => count),
    p50: of(({ p50 }) => p50),
    p90: of(({ p90 }) => p90),
    p99: of(({ p99 }) => p99),
    perSecond: of(({ perSecond }) => perSecond),
    cpuUs: of(({ cpuUs }) => cpuUs),
    clientCpuUs: rounds.every(({ clientCpuUs }) => clientCpuUs === null)
      ? null
      : of(({ clientCpuUs }) => clientCpuUs ?? 0),
    lateMs: of(({ lateMs }) => lateMs),
    spans: ofEach(({ spans }) => spans),
    spanTails: ofEach(({ spanTails }) => spanTails),
  };
}

/** The ratio of two entrants in each round, which is what drift cannot move much; and its middle. */
export function ratioOf(
  subject: Result,
  peer: Result,
  figure: (measurement: Measurement) => number,
): Spread {
  return spreadOf(
    subject.rounds.map((measurement, round) => {
      const beside = peer.rounds[round];
      if (beside === undefined)
        throw new RangeError("Cannot take a ratio: the peer has fewer rounds");
      return figure(measurement) / figure(beside);
    }),
  );
}

async function measure(entrant: Entrant, load: Load): Promise<Measurement> {
  const clientPids = entrant.clientPid === null ? [] : [entrant.clientPid];
  const before = cpuSeconds(entrant.measuredPids);
  const clientBefore = cpuSeconds(clientPids, entrant.measuredPids);
  const samples = await entrant.run(load);
  const cpu = cpuSeconds(entrant.measuredPids) - before;
  const clientCpu = cpuSeconds(clientPids, entrant.measuredPids) - clientBefore;
  const { count, p50, p90, p99 } = latencyOf(samples.latencyMs);
  const spans = Object.entries(samples.spans).map(
    ([name, milliseconds]) => [name, latencyOf(milliseconds)] as const,
  );
  return {
    count,
    p50,
    p90,
    p99,
    perSecond: (count / samples.elapsedMs) * 1000,
    cpuUs: (cpu / count) * 1e6,
    clientCpuUs: entrant.clientPid === null ? null : (clientCpu / count) * 1e6,
    lateMs: samples.lateMs,
    spans: Object.fromEntries(spans.map(([name, latency]) => [name, latency.p50])),
    spanTails: Object.fromEntries(spans.map(([name, latency]) => [name, latency.p99])),
  };
}

const callersOf = (load: Load): number => (load.kind === "closed" ? load.callers : 1);

/** Other arrivals in each round, the same for all its entrants. */
const reseeded = (load: Load, round: number): Load =>
  load.kind === "open" ? { ...load, seed: load.seed + round } : load;
