import type { JobSpec } from "../job-contract.ts";
import type { EndedRun, RunFacts } from "./job-result.ts";
import type { Attempt, Phase, PhaseOf, Stop } from "./job-state.ts";
import type { JobStore } from "./job-store.ts";

/** How one step of a run went: `again` after a pause that grows with each failure in a row. */
export type StepOutcome = "moved" | "again";

/** A Job's spec, read from where it is; undefined where it is gone. */
export type SpecReader = () => Promise<JobSpec | undefined>;

/** The phase, where the run of this epoch is still in it; undefined where something else came between. */
export function currentPhase<Kind extends Phase["kind"]>(
  store: JobStore,
  kind: Kind,
  epoch: number,
): PhaseOf<Kind> | undefined {
  const phase = store.record?.phase;
  if (phase === undefined || phase.kind !== kind || !("attempt" in phase)) return undefined;
  return phase.attempt.epoch === epoch ? (phase as PhaseOf<Kind>) : undefined;
}

/** Whether the run of this epoch has not ended yet. */
const isUnderWay = (store: JobStore, epoch: number): boolean =>
  currentPhase(store, "starting", epoch) !== undefined ||
  currentPhase(store, "running", epoch) !== undefined;

/** Name of a run's result among the job's values. */
export const resultName = (epoch: number): string => `result-${epoch}`;

/** What a run's result is made of, its spec read. */
export async function factsOf(
  store: JobStore,
  attempt: Attempt,
  readSpec: SpecReader,
): Promise<RunFacts> {
  const { record } = store;
  if (record === undefined) throw new TypeError("Cannot end a run: its job was told of nothing");
  return { identity: record.identity, spec: await readSpec(), attempt };
}

/**
 * Commits a run's end with its result. Changes nothing where the run has ended before.
 *
 * What was read of its events must be committed first.
 */
export async function endRun(store: JobStore, attempt: Attempt, ended: EndedRun): Promise<void> {
  const value = await store.values.place(resultName(attempt.epoch), ended.text);
  if (!isUnderWay(store, attempt.epoch)) return;
  store.commit({ record: { phase: { kind: "ended", attempt, end: ended.end } }, value });
}

/** Notes that a run never ran. As `endRun`. */
export function endUntaken(store: JobStore, attempt: Attempt, retryAfterMs: number): void {
  if (!isUnderWay(store, attempt.epoch)) return;
  const end = { kind: "not_taken", retryAfterMs } as const;
  store.commit({ record: { phase: { kind: "ended", attempt, end } } });
}

/** Notes that a run has to end; the first reason stays. */
export function stopRun(store: JobStore, stop: Stop): void {
  const phase = store.record?.phase;
  if (phase?.kind !== "starting" && phase?.kind !== "running") return;
  if (phase.stop === null) store.commit({ record: { phase: { ...phase, stop } } });
}
