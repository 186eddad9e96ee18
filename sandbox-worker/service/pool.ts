import type { ExecutorResult, Refusal, Unlinkable } from "../../protocol/sandbox-api.ts";
import type { PoolPolicy } from "../config.ts";
import type { CageDeath, CageObserver, CageProcess } from "./cage-process.ts";
import type { AcceptedRun, CageRunEnd, RunListener } from "./cage-run.ts";
import { Cage } from "./cage.ts";
import type { CageOwner, EndReason } from "./cage.ts";
import { FairQueue } from "./fair-queue.ts";
import { log } from "./log.ts";
import type { Gauges, Metrics } from "./metrics.ts";
import { place, recycleReason, sparesToStart } from "./placement.ts";
import type { WaitingRun } from "./placement.ts";
import { computingCount } from "./process-state.ts";

/** How often idle cages are looked at. */
const SWEEP_EVERY_MS = 250;
/** A spare is replaced after the run that took it had the cores for itself. */
const REFILL_AFTER_MS = 15;
/** After a cage could not be started: first so long, then doubling up to the last. */
const BACKOFF_FIRST_MS = 100;
const BACKOFF_MAX_MS = 5_000;

/** How a run's stay here ended. */
export type PoolRunEnd =
  | { readonly kind: "result"; readonly result: ExecutorResult }
  | { readonly kind: "unlinkable"; readonly unlinkable: Unlinkable }
  | { readonly kind: "refused"; readonly refusal: Refusal }
  /** It was cancelled before a cage had it. */
  | { readonly kind: "withdrawn" };

export interface PoolRunListener extends RunListener {
  /** Called once, last. */
  ended(end: PoolRunEnd): void;
}

export type Submission =
  | { readonly accepted: true; readonly cancel: () => void }
  | { readonly accepted: false; readonly refusal: Refusal };

/** A run that was taken, until it has ended. */
interface PoolRun extends WaitingRun {
  readonly run: AcceptedRun;
  readonly listener: PoolRunListener;
  attempt: number;
  cage: Cage | null;
}

/** Who makes cages' processes, and takes back what each had to itself. */
interface CageSource {
  /** Throws where it cannot. */
  start(id: number, observer: CageObserver): CageProcess;
  /** To be called once a cage is dead. */
  release(uid: number): void;
}

export interface PoolParts {
  readonly policy: PoolPolicy;
  readonly allowPrivateHosts: readonly string[];
  readonly factory: CageSource;
  readonly metrics: Metrics;
}

/** All cages and all runs, waiting or under way. What to do is decided in `placement.ts`. */
export class Pool implements CageOwner {
  readonly #parts: PoolParts;
  readonly #policy: PoolPolicy;
  readonly #cages: Cage[] = [];
  readonly #queue = new FairQueue<PoolRun>();
  readonly #sweep: NodeJS.Timeout;
  #inFlight = 0;
  #awaited = 0;
  #nextCageId = 1;
  #draining = false;
  #closed = false;
  #booted = false;
  #failures = 0;
  #lastFailure: string | null = null;
  #wake: NodeJS.Timeout | null = null;
  #refill: NodeJS.Timeout | null = null;
  #whenQuiet: (() => void)[] = [];

  constructor(parts: PoolParts) {
    this.#parts = parts;
    this.#policy = parts.policy;
    this.#sweep = setInterval(() => {
      this.#recycleIdle();
    }, SWEEP_EVERY_MS);
    this.#startCages();
  }

  /** Why no work is taken now; null where it is. */
  get refusal(): { readonly refusal: Refusal; readonly reason: string } | null {
    if (this.#draining) return { refusal: "draining", reason: "the service is draining" };
    if (this.#booted) return null;
    const reason = this.#lastFailure ?? "the first cages are starting";
    return { refusal: "not-ready", reason };
  }

  get draining(): boolean {
    return this.#draining;
  }

  get gauges(): Gauges {
    const count = (phase: Cage["phase"]): number =>
      this.#cages.filter((cage) => cage.phase === phase).length;
    return {
      cagesLive: this.#cages.length,
      cagesSpare: count("spare"),
      cagesBusy: count("busy"),
      queued: this.#queue.length,
      inFlight: this.#inFlight,
    };
  }

  /** Takes a run, or says why not. Its listener may be called before this returns. */
  submit(run: AcceptedRun, listener: PoolRunListener): Submission {
    const { order } = run;
    if (this.refusal !== null) return { accepted: false, refusal: this.refusal.refusal };
    const policy = this.#policy;
    if (
      this.#queue.length >= policy.queueMax ||
      this.#queue.waitingOf(order.tenant) >= policy.queuePerTenant
    ) {
      return { accepted: false, refusal: "full" };
    }
    const waiting: PoolRun = {
      tenant: order.tenant,
      tenantMaxConcurrent: order.tenantMaxConcurrent,
      memoryMb: order.caps.memoryMb,
      affinity: order.affinity,
      queuedAtMs: performance.now(),
      run,
      listener,
      attempt: 0,
      cage: null,
    };
    this.#queue.push(waiting);
    this.#dispatch();
    return {
      accepted: true,
      cancel: () => {
        this.#cancel(waiting);
      },
    };
  }

  /** Takes no more work; resolves once none is left. */
  async drain(): Promise<void> {
    this.#draining = true;
    if (this.#inFlight === 0 && this.#queue.length === 0) return;
    await new Promise<void>((resolve) => {
      this.#whenQuiet.push(resolve);
    });
  }

  /** Kills every cage, ends what runs, and resolves once all are dead. */
  async close(): Promise<void> {
    this.#draining = true;
    this.#closed = true;
    clearInterval(this.#sweep);
    for (const timer of [this.#wake, this.#refill]) if (timer !== null) clearTimeout(timer);
    for (const waiting of this.#queue.all()) this.#turnAway(waiting, "draining");
    for (const cage of this.#cages) cage.retire("shutdown");
    if (this.#cages.length === 0) return;
    await new Promise<void>((resolve) => {
      this.#whenQuiet.push(resolve);
    });
  }

  /** Kills every cage, and waits for nothing. */
  kill(): void {
    this.#closed = true;
    for (const cage of this.#cages) cage.retire("shutdown");
  }

  free(cage: Cage): void {
    this.#booted = true;
    this.#failures = 0;
    this.#lastFailure = null;
    cage.lastUsedMs = performance.now();
    const reason = recycleReason(cage, cage.lastUsedMs, this.#policy);
    if (reason !== null) cage.retire(reason);
    this.#dispatch();
  }

  dead(cage: Cage, death: CageDeath, reason: EndReason): void {
    this.#parts.metrics.cageReplaced(reason);
    if (reason === "boot") this.#bootFailed(cage, death);
    void this.#bury(cage);
  }

  async #bury(cage: Cage): Promise<void> {
    await cage.removeMemory();
    this.#parts.factory.release(cage.uid);
    this.#cages.splice(this.#cages.indexOf(cage), 1);
    this.#settle();
    this.#dispatch();
    this.#refillSoon();
  }

  #dispatch(): void {
    for (let progress = true; progress && !this.#closed;) {
      progress = false;
      let pledged = 0;
      let wakeAtMs = Infinity;
      for (const head of this.#queue.heads()) {
        const nowMs = performance.now();
        const choice = place(
          head,
          this.#cages,
          {
            nowMs,
            othersWait: this.#queue.othersWait(head.tenant),
            coresBusy: this.#coresBusy(head, nowMs),
            pledged,
          },
          this.#policy,
        );
        switch (choice.kind) {
          case "take":
            this.#begin(head, choice.cageId, nowMs);
            progress = true;
            break;
          case "await-cage":
            pledged++;
            if (choice.evict !== null) this.#cage(choice.evict)?.retire("evicted");
            break;
          case "wait":
            wakeAtMs = Math.min(wakeAtMs, choice.untilMs ?? Infinity);
        }
      }
      this.#awaited = pledged;
      this.#wakeAt(wakeAtMs);
    }
    if (this.#awaited === 0) return;
    this.#startCages();
    for (const cage of this.#cages) cage.hurry();
  }

  #begin(waiting: PoolRun, cageId: number, nowMs: number): void {
    const cage = this.#cage(cageId);
    if (cage === undefined) throw new RangeError(`Cannot find cage ${cageId}`);
    const wasSpare = cage.tenant === null;
    this.#queue.served(waiting);
    waiting.cage = cage;
    waiting.attempt++;
    this.#inFlight++;
    const queueMs = nowMs - waiting.queuedAtMs;
    this.#parts.metrics.runWaited(queueMs);
    const { run, listener, attempt } = waiting;
    const { allowPrivateHosts } = this.#parts;
    const ended = (end: CageRunEnd): void => {
      this.#ended(waiting, end);
    };
    try {
      cage.begin({ run, attempt, queueMs, allowPrivateHosts, listener, ended }, nowMs);
    } catch (error) {
      log("cage.not-limited", { cage: cage.id, error: String(error) });
      cage.retire("memory");
      this.#ended(waiting, { kind: "retry" });
    }
    if (wasSpare) this.#refillSoon();
  }

  #ended(waiting: PoolRun, end: CageRunEnd): void {
    this.#inFlight--;
    waiting.cage = null;
    if (end.kind !== "retry") {
      this.#end(waiting, end);
    } else if (this.#closed) {
      this.#end(waiting, { kind: "refused", refusal: "draining" });
    } else {
      this.#queue.unshift(waiting);
      this.#dispatch();
    }
  }

  #end(waiting: PoolRun, end: PoolRunEnd): void {
    this.#parts.metrics.runEnded(end.kind === "result" ? end.result.outcome : end.kind);
    waiting.listener.ended(end);
    this.#settle();
  }

  #cancel(waiting: PoolRun): void {
    if (waiting.cage !== null) waiting.cage.cancelRun();
    else if (this.#queue.remove(waiting)) {
      this.#end(waiting, { kind: "withdrawn" });
      this.#dispatch();
    }
  }

  #turnAway(waiting: PoolRun, refusal: Refusal): void {
    if (this.#queue.remove(waiting)) this.#end(waiting, { kind: "refused", refusal });
  }

  /** Asked only where it matters: it costs reading a file for each busy cage. */
  #coresBusy(head: PoolRun, nowMs: number): boolean {
    if (nowMs - head.queuedAtMs < this.#policy.growAfterMs) return false;
    const busy = this.#cages.filter(({ phase }) => phase === "busy");
    return computingCount(busy.map(({ pid }) => pid)) >= this.#policy.cores;
  }

  #wakeAt(atMs: number): void {
    if (this.#wake !== null) clearTimeout(this.#wake);
    this.#wake = null;
    if (atMs === Infinity) return;
    const inMs = Math.max(1, Math.ceil(atMs - performance.now()));
    this.#wake = setTimeout(() => {
      this.#dispatch();
    }, inMs);
  }

  #recycleIdle(): void {
    const nowMs = performance.now();
    for (const cage of this.#cages) {
      const reason = recycleReason(cage, nowMs, this.#policy);
      if (reason !== null) cage.retire(reason);
    }
    const expired = this.#queue.expired(nowMs - this.#policy.queueMs);
    for (const waiting of expired) this.#turnAway(waiting, "full");
    if (expired.length > 0) this.#dispatch();
  }

  #refillSoon(): void {
    this.#refill ??= setTimeout(
      () => {
        this.#refill = null;
        this.#startCages();
      },
      this.#failures === 0 ? REFILL_AFTER_MS : backoffMs(this.#failures),
    );
  }

  #startCages(): void {
    if (this.#closed || (this.#refill !== null && this.#failures > 0)) return;
    const { cores } = this.#policy;
    const missing = sparesToStart(this.#cages, this.#awaited, this.#policy, Math.max(2, cores));
    for (let left = missing; left > 0; left--) {
      const id = this.#nextCageId++;
      try {
        const start = (observer: CageObserver): CageProcess =>
          this.#parts.factory.start(id, observer);
        this.#cages.push(new Cage(id, this, start, performance.now()));
      } catch (error) {
        this.#failures++;
        this.#lastFailure = "a cage could not be started";
        log("cage.not-started", { cage: id, error: String(error) });
        this.#refillSoon();
        return;
      }
    }
  }

  #bootFailed(cage: Cage, { exitCode, signal, stderr }: CageDeath): void {
    this.#failures++;
    this.#lastFailure = "a cage died before it could take a run";
    log("cage.not-booted", { cage: cage.id, exitCode, signal, stderr: stderr.slice(0, 2000) });
  }

  #cage(id: number): Cage | undefined {
    return this.#cages.find((cage) => cage.id === id);
  }

  #settle(): void {
    const quiet = this.#inFlight === 0 && this.#queue.length === 0;
    if (!quiet || (this.#closed && this.#cages.length > 0)) return;
    for (const resolve of this.#whenQuiet.splice(0)) resolve();
  }
}

const backoffMs = (failures: number): number =>
  Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** Math.min(failures - 1, 10));
