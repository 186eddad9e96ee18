import type { PoolPolicy } from "../../config.ts";

/**
 * Which cage a waiting run gets.
 *
 *             claim              run              end, clean
 *   booting ────────► (spare) ────────► (busy) ◄────────────► (idle)
 *                                          │                     │
 *                                          └───────► leaving ◄───┘
 *
 * A cage belongs to nobody until its first run, and to that run's tenant until it dies.
 */
export type CagePhase = "booting" | "spare" | "idle" | "busy" | "leaving";

/** A cage, as far as choosing needs to know it. */
export interface CageView {
  readonly id: number;
  readonly phase: CagePhase;
  readonly tenant: string | null;
  /** The most memory a run in it was given so far: its limit grows, and never shrinks. */
  readonly memoryMb: number;
  /** Warm instances that it may hold. */
  readonly affinities: ReadonlySet<string>;
  readonly claimedAtMs: number;
  readonly lastUsedMs: number;
  readonly runs: number;
}

export interface WaitingRun {
  readonly tenant: string;
  /** Runs of its tenant that may be under way here at once; 0 for no cap. */
  readonly tenantMaxConcurrent: number;
  readonly memoryMb: number;
  readonly affinity: string | null;
  readonly queuedAtMs: number;
}

/** What else is going on. */
export interface Surroundings {
  readonly nowMs: number;
  /** Whether runs of other tenants wait. */
  readonly othersWait: boolean;
  /** Whether every core has a cage that computes: one more would only take turns with them. */
  readonly coresBusy: boolean;
  /**
   * Whether all that cages have said by now was read. Where it was not, a cage that has ended its run
   * long ago looks like one whose run waits for something, and one more would only crowd the cores.
   */
  readonly caughtUp: boolean;
  /** Cages in the making that runs before this one will take. */
  readonly pledged: number;
}

export type Placement =
  | { readonly kind: "take"; readonly cageId: number }
  /** A cage is being made, or this one has to go first; the run waits. */
  | { readonly kind: "await-cage"; readonly evict: number | null }
  /** Nothing helps but a run's end, or the time when growing is due. */
  | { readonly kind: "wait"; readonly untilMs: number | null };

/** So long a run waits behind its tenant's computing runs before it may take turns with them. */
export const CROWD_AFTER_MS = 250;

const WAIT: Placement = { kind: "wait", untilMs: null };

/** Chooses for one run; what it was told to take or to evict must be gone before the next choice. */
export function place(
  run: WaitingRun,
  cages: readonly CageView[],
  around: Surroundings,
  policy: PoolPolicy,
): Placement {
  const own = cages.filter(({ tenant, phase }) => tenant === run.tenant && phase !== "leaving");
  const busy = own.filter(({ phase }) => phase === "busy").length;
  if (run.tenantMaxConcurrent > 0 && busy >= run.tenantMaxConcurrent) return WAIT;

  const full = cages.length >= policy.maxCages;
  const overHalf = own.length > Math.max(1, Math.floor(policy.maxCages / 2));
  if (full && around.othersWait && overHalf) return WAIT;

  const reusable = bestIdle(own, run);
  if (reusable !== undefined) return { kind: "take", cageId: reusable.id };

  const due = growthDue(run, own.length, around, policy);
  if (due === "now") return grow(run, cages, own, around, policy);
  return { kind: "wait", untilMs: due };
}

/** Its own warm instance first, then the same memory limit, then the most recently used. */
function bestIdle(own: readonly CageView[], run: WaitingRun): CageView | undefined {
  let best: CageView | undefined;
  let bestRank = -1;
  for (const cage of own) {
    if (cage.phase !== "idle" || cage.memoryMb > run.memoryMb) continue;
    const warm = run.affinity !== null && cage.affinities.has(run.affinity) ? 2 : 0;
    const rank = warm + (cage.memoryMb === run.memoryMb ? 1 : 0);
    if (rank < bestRank) continue;
    if (best !== undefined && rank === bestRank && cage.lastUsedMs <= best.lastUsedMs) continue;
    best = cage;
    bestRank = rank;
  }
  return best;
}

/** When the run's tenant may have one more cage; null where only a run's end can help. */
function growthDue(
  run: WaitingRun,
  held: number,
  around: Surroundings,
  policy: PoolPolicy,
): "now" | number | null {
  const half = Math.max(1, Math.floor(policy.maxCages / 2));
  if (around.othersWait && held >= half) return null;
  if (held < policy.cores) return "now";
  const afterMs = around.coresBusy
    ? Math.max(CROWD_AFTER_MS, policy.growAfterMs)
    : policy.growAfterMs;
  const dueMs = run.queuedAtMs + afterMs;
  if (around.nowMs < dueMs) return dueMs;
  return around.caughtUp ? "now" : around.nowMs;
}

function grow(
  run: WaitingRun,
  cages: readonly CageView[],
  own: readonly CageView[],
  around: Surroundings,
  policy: PoolPolicy,
): Placement {
  const spare = cages.find(({ phase }) => phase === "spare");
  if (spare !== undefined) return { kind: "take", cageId: spare.id };
  const coming = cages.filter(({ phase }) => phase === "booting" || phase === "leaving").length;
  if (coming > around.pledged || cages.length < policy.maxCages) {
    return { kind: "await-cage", evict: null };
  }
  const idle = cages
    .filter(({ phase, tenant }) => phase === "idle" && tenant !== run.tenant)
    .concat(own.filter(({ phase }) => phase === "idle"))
    .toSorted((a, b) => a.lastUsedMs - b.lastUsedMs);
  const [oldest] = idle;
  return oldest === undefined ? WAIT : { kind: "await-cage", evict: oldest.id };
}

/** How many cages to start now so that enough are booted for who comes and who waits. */
export function sparesToStart(
  cages: readonly CageView[],
  awaited: number,
  policy: PoolPolicy,
  startingMax: number,
): number {
  const booting = cages.filter(({ phase }) => phase === "booting").length;
  const ready = cages.filter(({ phase }) => phase === "spare").length;
  const wanted = policy.spares + awaited - booting - ready;
  return Math.max(0, Math.min(wanted, policy.maxCages - cages.length, startingMax - booting));
}

/** Why an idle cage has to go; null where it stays. */
export type RecycleReason = "runs" | "age" | "idle";

export function recycleReason(
  cage: CageView,
  nowMs: number,
  policy: PoolPolicy,
): RecycleReason | null {
  if (cage.phase !== "idle") return null;
  if (cage.runs >= policy.maxRuns) return "runs";
  if (nowMs - cage.claimedAtMs >= policy.maxAgeMs) return "age";
  if (nowMs - cage.lastUsedMs >= policy.idleMs) return "idle";
  return null;
}
