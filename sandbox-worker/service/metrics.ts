/** Upper bounds of the waiting times' buckets, in seconds. */
const WAIT_BUCKETS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** What is true now, read when metrics are asked for. */
export interface Gauges {
  readonly cagesLive: number;
  readonly cagesSpare: number;
  readonly cagesBusy: number;
  readonly queued: number;
  readonly inFlight: number;
}

/** Counts since the start, as OpenMetrics text. No label names a tenant. */
export class Metrics {
  readonly #runs = new Map<string, number>();
  readonly #replaced = new Map<string, number>();
  readonly #refused = new Map<string, number>();
  readonly #waits = WAIT_BUCKETS_S.map(() => 0);
  #waitCount = 0;
  #waitSumS = 0;

  runEnded(outcome: string): void {
    add(this.#runs, outcome);
  }

  cageReplaced(reason: string): void {
    add(this.#replaced, reason);
  }

  requestRefused(reason: string): void {
    add(this.#refused, reason);
  }

  runWaited(waitMs: number): void {
    const seconds = waitMs / 1000;
    this.#waitCount++;
    this.#waitSumS += seconds;
    const bucket = WAIT_BUCKETS_S.findIndex((bound) => seconds <= bound);
    if (bucket !== -1) this.#waits[bucket] = (this.#waits[bucket] ?? 0) + 1;
  }

  text(gauges: Gauges): string {
    return [
      ...counter("bulkhead_sandbox_runs", "Runs by outcome.", "outcome", this.#runs),
      ...counter(
        "bulkhead_sandbox_cages_replaced",
        "Cages that ended, by reason.",
        "reason",
        this.#replaced,
      ),
      ...counter(
        "bulkhead_sandbox_refusals",
        "Requests taken no work from, by reason.",
        "reason",
        this.#refused,
      ),
      "# TYPE bulkhead_sandbox_cages gauge",
      "# HELP bulkhead_sandbox_cages Cages by what they do.",
      `bulkhead_sandbox_cages{state="live"} ${gauges.cagesLive}`,
      `bulkhead_sandbox_cages{state="spare"} ${gauges.cagesSpare}`,
      `bulkhead_sandbox_cages{state="busy"} ${gauges.cagesBusy}`,
      ...gauge("bulkhead_sandbox_queue_length", "Runs that wait for a cage.", gauges.queued),
      ...gauge("bulkhead_sandbox_in_flight", "Runs under way in a cage.", gauges.inFlight),
      ...this.#histogram(),
      "# EOF\n",
    ].join("\n");
  }

  #histogram(): readonly string[] {
    const name = "bulkhead_sandbox_wait_seconds";
    let sum = 0;
    const buckets = WAIT_BUCKETS_S.map((bound, index) => {
      sum += this.#waits[index] ?? 0;
      return `${name}_bucket{le="${bound}"} ${sum}`;
    });
    return [
      `# TYPE ${name} histogram`,
      `# UNIT ${name} seconds`,
      `# HELP ${name} Time that runs waited for a cage.`,
      ...buckets,
      `${name}_bucket{le="+Inf"} ${this.#waitCount}`,
      `${name}_sum ${this.#waitSumS}`,
      `${name}_count ${this.#waitCount}`,
    ];
  }
}

function add(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function counter(
  name: string,
  help: string,
  label: string,
  counts: ReadonlyMap<string, number>,
): readonly string[] {
  return [
    `# TYPE ${name} counter`,
    `# HELP ${name} ${help}`,
    ...[...counts].map(([key, count]) => `${name}_total{${label}="${key}"} ${count}`),
  ];
}

const gauge = (name: string, help: string, value: number): readonly string[] => [
  `# TYPE ${name} gauge`,
  `# HELP ${name} ${help}`,
  `${name} ${value}`,
];
