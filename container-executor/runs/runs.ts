import type {
  ContainerOrder,
  ContainerResult,
  OrderRefusal,
  RunStatus,
} from "../../protocol/container-api.ts";
import type { Refusal } from "../../protocol/sandbox-api.ts";
import type { JournalRun, RunSpec } from "../journal/journal.ts";
import { hostBoot, monotonicMs } from "../journal/machine-clock.ts";
import { log } from "../log.ts";
import { RUNTIMES } from "../runtimes/runtimes.ts";
import { lostResult } from "./collect.ts";
import { orderRefusal } from "./order-check.ts";
import type { OrderPolicy } from "./order-check.ts";
import { RunRecord } from "./run-record.ts";
import type { RunStarter } from "./run-starter.ts";
import { Run } from "./run.ts";
import type { RunHouse } from "./run.ts";
import type { KillCause } from "./verdict.ts";

export type PutAnswer =
  | { readonly kind: "taken" | "known"; readonly status: RunStatus }
  | { readonly kind: "refused"; readonly refusal: Refusal }
  | { readonly kind: "never"; readonly refusal: OrderRefusal };

export interface RunsParts {
  readonly house: RunHouse;
  readonly starter: RunStarter;
  /** Where each run has its folder. */
  readonly folder: string;
  readonly policy: OrderPolicy;
  /** 0 is unlimited. */
  readonly maxConcurrent: number;
  /** Why no work can be done now, or null. */
  readonly unready: () => string | null;
  /** Why an order's image cannot be used. */
  readonly imageRefusal: (order: ContainerOrder) => Promise<OrderRefusal | Refusal | undefined>;
  readonly ended: (result: ContainerResult) => void;
}

/** A run that nobody has acknowledged for so long is nobody's any more. */
const UNACKED_KEPT_MS = 24 * 60 * 60 * 1000;

/** A run of this life or an earlier one that is not acknowledged. */
interface Kept {
  readonly record: RunRecord;
  readonly status: () => RunStatus;
  /** undefined where it ended in an earlier life. */
  readonly run: Run | undefined;
  /** On the machine's monotonic clock: when it ended, or was found ended. */
  endedAtMs: number | null;
}

/**
 * Every run that this executor took and that is not acknowledged. The journal is asked before
 * anything starts, and told before anything is answered: the same id never starts twice.
 */
export class Runs {
  readonly #parts: RunsParts;
  readonly #kept = new Map<string, Kept>();
  readonly #hostBoot = hostBoot();
  /** Ids whose order is being looked at: the same order again waits for the first. */
  readonly #taking = new Map<string, Promise<PutAnswer>>();
  #live = 0;
  #draining = false;

  constructor(parts: RunsParts) {
    this.#parts = parts;
  }

  get inFlight(): number {
    return this.#live;
  }

  get draining(): boolean {
    return this.#draining;
  }

  /** Takes an order, or says why not. Repeated, it says what became of the first. */
  async put(order: ContainerOrder): Promise<PutAnswer> {
    const underWay = this.#taking.get(order.runId);
    if (underWay !== undefined) {
      const answer = await underWay;
      return answer.kind === "taken" ? { ...answer, kind: "known" } : answer;
    }
    const taking = this.#take(order).finally(() => {
      this.#taking.delete(order.runId);
    });
    this.#taking.set(order.runId, taking);
    return await taking;
  }

  statusOf(runId: string): RunStatus | undefined {
    return this.#kept.get(runId)?.status();
  }

  recordOf(runId: string): RunRecord | undefined {
    return this.#kept.get(runId)?.record;
  }

  renew(runId: string): RunStatus | undefined {
    const kept = this.#kept.get(runId);
    kept?.run?.renew();
    return kept?.status();
  }

  /** Kills a run and resolves once nothing of it lives; undefined where it is not known. */
  async kill(runId: string, cause: KillCause): Promise<RunStatus | undefined> {
    const kept = this.#kept.get(runId);
    if (kept?.run?.isLive === true) {
      kept.run.kill(cause);
      await kept.run.ended;
    }
    return kept?.status();
  }

  /** Frees an ended run's record. False where it has not ended, or is not known. */
  ack(runId: string): "freed" | "unknown" | "running" {
    const kept = this.#kept.get(runId);
    if (kept === undefined) return "unknown";
    if (kept.run?.isLive === true) return "running";
    this.#parts.house.journal.acked(runId, Date.now());
    this.#parts.house.journal.forget(Date.now());
    this.#kept.delete(runId);
    kept.record.remove();
    return "freed";
  }

  /** Frees what ended and was not acknowledged for a day: whoever was to do it is gone. */
  expire(nowMs: number): void {
    for (const [runId, { endedAtMs }] of this.#kept) {
      if (endedAtMs === null || nowMs - endedAtMs < UNACKED_KEPT_MS) continue;
      log("run.expired", { runId });
      this.ack(runId);
    }
  }

  /** Takes no more orders. */
  drain(): void {
    this.#draining = true;
  }

  /** Resolves once no run lives. */
  async idle(): Promise<void> {
    await Promise.all(this.#liveRuns().map(async (run) => await run.ended));
  }

  /** Kills every run, and resolves once none lives. */
  async killAll(cause: KillCause): Promise<void> {
    for (const run of this.#liveRuns()) run.kill(cause);
    await this.idle();
  }

  /** Lets go of every run that lives: they go on, for the next life to adopt. */
  detachAll(): void {
    for (const run of this.#liveRuns()) run.detach();
  }

  /**
   * Takes up what an earlier life left: known when it returns, in reach once `adopted` fulfils.
   * `containers` are those that runs have.
   */
  load(): { readonly containers: ReadonlySet<string>; readonly adopted: Promise<unknown> } {
    const containers = new Set<string>();
    const adoptions: Promise<void>[] = [];
    for (const journal of this.#parts.house.journal.open()) {
      const { result, container } = journal;
      if (result !== null) this.#keepEnded(journal, result);
      else if (journal.phase === "fed" && journal.hostBoot === this.#hostBoot) {
        if (container !== null) containers.add(container.id);
        adoptions.push(this.#adopt(journal));
      } else this.#endLost(journal, "it was not whole when the executor ended");
    }
    return { containers, adopted: Promise.all(adoptions) };
  }

  async #take(order: ContainerOrder): Promise<PutAnswer> {
    const { house, policy, maxConcurrent, unready, imageRefusal, starter } = this.#parts;
    const { runId, runtime } = order;
    const phase = house.journal.phaseOf(runId);
    if (phase !== undefined) {
      // Acknowledged: whoever asks again has its result.
      const forgotten = { runId, state: "ended", lastSeq: 0, outcome: null, killMs: null } as const;
      return { kind: "known", status: this.statusOf(runId) ?? forgotten };
    }
    const never = orderRefusal(order, policy);
    if (never !== undefined) return { kind: "never", refusal: never };
    if (this.#draining) return { kind: "refused", refusal: "draining" };
    if (unready() !== null) return { kind: "refused", refusal: "not-ready" };
    if (this.#isFull(maxConcurrent)) return { kind: "refused", refusal: "full" };
    const refusal = await imageRefusal(order);
    if (typeof refusal === "string") return { kind: "refused", refusal };
    if (refusal !== undefined) return { kind: "never", refusal };
    // The question may have taken a while.
    if (this.#isFull(maxConcurrent)) return { kind: "refused", refusal: "full" };
    const spec: RunSpec = {
      runId,
      tenant: order.tenant,
      runtime,
      artifacts: order.artifacts,
      caps: order.caps,
      wantsValue: runtime !== null && RUNTIMES[runtime].hasValue,
      net: order.net,
    };
    const takenAtMs = monotonicMs();
    const spare = starter.takeSpare(order);
    const container =
      spare === undefined ? null : { id: spare.id, syncKey: spare.channel.syncKey, spare: true };
    house.journal.take(spec, container, takenAtMs, this.#hostBoot);
    const run = this.#keepLive(spec, takenAtMs);
    void starter.start(run, order, spare);
    return { kind: "taken", status: run.status };
  }

  #isFull(maxConcurrent: number): boolean {
    return maxConcurrent > 0 && this.#live >= maxConcurrent;
  }

  #keepLive(spec: RunSpec, takenAtMs: number): Run {
    const { house, folder, ended } = this.#parts;
    const record = new RunRecord(folder, spec, () => monotonicMs() - takenAtMs);
    const run = new Run(house, record, takenAtMs);
    this.#live++;
    house.monitor.watch(spec.runId);
    const kept: Kept = { record, run, status: () => run.status, endedAtMs: null };
    this.#kept.set(spec.runId, kept);
    void run.ended.then((result) => {
      kept.endedAtMs = monotonicMs();
      this.#live--;
      house.monitor.forget(spec.runId);
      ended(result);
    });
    return run;
  }

  #keepEnded({ spec, takenAtMs }: JournalRun, result: ContainerResult): void {
    const { folder } = this.#parts;
    const record = new RunRecord(folder, spec, () => monotonicMs() - takenAtMs);
    record.tellEnd(result);
    const status = (): RunStatus => ({
      runId: spec.runId,
      state: "ended",
      lastSeq: record.log.lastSeq,
      outcome: result.outcome,
      killMs: result.usage.killMs,
    });
    this.#kept.set(spec.runId, { record, run: undefined, status, endedAtMs: monotonicMs() });
  }

  async #adopt(journal: JournalRun): Promise<void> {
    const { spec, takenAtMs, container } = journal;
    const { house, starter } = this.#parts;
    const run = this.#keepLive(spec, takenAtMs);
    const adopted = await starter.adopt(run, journal).catch((error: unknown) => {
      log("run.adoption-failed", { runId: spec.runId, error: String(error) });
      return false;
    });
    log(adopted ? "run.adopted" : "run.not-adopted", { runId: spec.runId });
    if (adopted) return;
    if (container !== null) await house.remove(container.id);
    run.programEnded({ kind: "none", detail: "its container was lost", sent: true });
  }

  /** Ends a run that cannot be gone on with; whatever is left of its container is not kept, and so removed. */
  #endLost(journal: JournalRun, detail: string): void {
    const { spec, phase } = journal;
    const result = lostResult(spec.runId, detail, phase !== "taken");
    log("run.lost", { runId: spec.runId, phase });
    this.#parts.house.journal.ended(spec.runId, result);
    this.#keepEnded(journal, result);
  }

  #liveRuns(): readonly Run[] {
    return [...this.#kept.values()].flatMap(({ run }) => (run?.isLive === true ? [run] : []));
  }
}
