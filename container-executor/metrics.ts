/** What is true now, read when metrics are asked for. */
export interface Gauges {
  readonly inFlight: number;
  readonly spares: Readonly<Record<string, number>>;
}

/** Counts since the start, as OpenMetrics text. No label names a tenant. */
export class Metrics {
  readonly #runs = new Map<string, number>();
  readonly #refused = new Map<string, number>();
  #startSumS = 0;
  #startCount = 0;

  runEnded(outcome: string, startMs: number): void {
    add(this.#runs, outcome);
    this.#startCount++;
    this.#startSumS += startMs / 1000;
  }

  requestRefused(reason: string): void {
    add(this.#refused, reason);
  }

  text({ inFlight, spares }: Gauges): string {
    return [
      ...counter("bulkhead_container_runs", "Runs by outcome.", "outcome", this.#runs),
      ...counter(
        "bulkhead_container_refusals",
        "Requests taken no work from, by reason.",
        "reason",
        this.#refused,
      ),
      "# TYPE bulkhead_container_start_seconds summary",
      "# HELP bulkhead_container_start_seconds Time from the order to the job's first instruction.",
      `bulkhead_container_start_seconds_sum ${this.#startSumS}`,
      `bulkhead_container_start_seconds_count ${this.#startCount}`,
      "# TYPE bulkhead_container_in_flight gauge",
      "# HELP bulkhead_container_in_flight Runs under way.",
      `bulkhead_container_in_flight ${inFlight}`,
      "# TYPE bulkhead_container_spares gauge",
      "# HELP bulkhead_container_spares Containers that wait for a job, by image.",
      ...Object.entries(spares).map(
        ([image, count]) => `bulkhead_container_spares{image="${image}"} ${count}`,
      ),
      "# EOF\n",
    ].join("\n");
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
