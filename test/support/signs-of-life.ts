/** One sign of life of one run of one job: what really happened, whatever statuses say. */
export interface SignOfLife {
  readonly job: string;
  readonly run: string;
  readonly kind: "start" | "beat" | "end";
}

/** Jobs of which a run showed life after a later run of the same job had begun. */
export function overlapping(all: readonly SignOfLife[]): readonly string[] {
  const latest = new Map<string, string>();
  const found = new Set<string>();
  for (const { job, run, kind } of all) {
    if (kind === "start") latest.set(job, run);
    else if (latest.get(job) !== run) found.add(job);
  }
  return [...found];
}
