import type { ExecutorResult, Refusal, Unlinkable } from "../../../protocol/sandbox-api.ts";
import type { PoolPolicy } from "../../config.ts";
import type { AcceptedRun, CageRunEnd, RunListener } from "../cages/cage-run.ts";
import type { Cage } from "../cages/cage.ts";
import { log } from "../log.ts";
import type { Gauges } from "../metrics.ts";
import { CageStock } from "./cage-stock.ts";
import type { StockParts } from "./cage-stock.ts";
import { FairQueue } from "./fair-queue.ts";
import { place } from "./placement.ts";
import type { Placement, WaitingRun } from "./placement.ts";
import { computingCount } from "./process-state.ts";

/** How often idle cages, and how long runs have waited, are looked at. */
const SWEEP_EVERY_MS = 250;

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

export interface PoolParts extends Omit<StockParts, "changed"> {
  readonly allowPrivateHosts: readonly string[];
}

/** All runs, waiting or under way. Which cage each gets is decided in `placement.ts`. */
export class Pool {
  readonly #parts: PoolParts;
  readonly #policy: PoolPolicy;
  readonly #stock: CageStock;
  readonly #queue = new FairQueue<PoolRun>();
  readonly #sweep: NodeJS.Timeout;
  #inFlight = 0;
  #draining = false;
  #closed = false;
  #dispatching = false;
  #dispatchAgain = false;
  #wake: NodeJS.Timeout | null = null;
  #wakeAtMs = Infinity;
  #whenQuiet: (() => void)[] = [];

  /** Starts the first cages. */
  constructor(parts: PoolParts) {
    this.#parts = parts;
    this.#policy = parts.policy;
    this.#stock = new CageStock({
      ...parts,
      changed: () => {
        this.#settle();
        this.#dispatch();
      },
    });
    this.#sweep = setInterval(() => {
      const nowMs = performance.now();
      this.#stock.recycle(nowMs);
      this.#expire(nowMs);
    }, SWEEP_EVERY_MS);
  }

  /** Why no work is taken now; null where it is. */
  get refusal(): { readonly refusal: Refusal; readonly reason: string } | null {
    if (this.#draining) return { refusal: "draining", reason: "the service is draining" };
    const { unready } = this.#stock;
    return unready === null ? null : { refusal: "not-ready", reason: unready };
  }

  get draining(): boolean {
    return this.#draining;
  }

  get gauges(): Gauges {
    const stock = this.#stock;
    return {
      cagesLive: stock.cages.length,
      cagesSpare: stock.count("spare"),
      cagesBusy: stock.count("busy"),
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
    if (this.#wake !== null) clearTimeout(this.#wake);
    for (const waiting of this.#queue.all()) this.#turnAway(waiting, "draining");
    this.#stock.close();
    if (this.#stock.cages.length === 0) return;
    await new Promise<void>((resolve) => {
      this.#whenQuiet.push(resolve);
    });
  }

  /** Kills every cage, and waits for nothing. */
  kill(): void {
    this.#closed = true;
    this.#stock.close();
  }

  /**
   * Gives cages to those who wait, in turns, until nobody can be given one. `caughtUp`: all that cages
   * have said was read before.
   */
  #dispatch(caughtUp = false): void {
    this.#dispatchAgain = true;
    // What is given away may come back at once, or free another: that is for the turn under way.
    if (this.#dispatching) return;
    this.#dispatching = true;
    let awaited = 0;
    while (this.#dispatchAgain && !this.#closed) {
      this.#dispatchAgain = false;
      awaited = this.#oneTurn(caughtUp);
    }
    this.#dispatching = false;
    this.#stock.await(awaited);
  }

  /** Looks once at each tenant's first run. Returns how many wait for a cage in the making. */
  #oneTurn(caughtUp: boolean): number {
    let awaited = 0;
    let wakeAtMs = Infinity;
    for (const head of this.#queue.heads()) {
      const nowMs = performance.now();
      const choice = this.#choose(head, nowMs, awaited, caughtUp);
      switch (choice.kind) {
        case "take":
          this.#dispatchAgain = true;
          this.#begin(head, choice.cageId, nowMs);
          break;
        case "await-cage":
          awaited++;
          if (choice.evict !== null) this.#stock.find(choice.evict)?.retire("evicted");
          break;
        case "wait":
          wakeAtMs = Math.min(wakeAtMs, choice.untilMs ?? Infinity);
      }
    }
    this.#wakeAt(wakeAtMs);
    return awaited;
  }

  #choose(head: PoolRun, nowMs: number, pledged: number, caughtUp: boolean): Placement {
    const othersWait = this.#queue.othersWait(head.tenant);
    const coresBusy = this.#coresBusy(head, nowMs);
    const around = { nowMs, othersWait, coresBusy, caughtUp, pledged };
    return place(head, this.#stock.cages, around, this.#policy);
  }

  #begin(waiting: PoolRun, cageId: number, nowMs: number): void {
    const cage = this.#stock.find(cageId);
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
    if (wasSpare) this.#stock.refillSoon();
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

  /**
   * Whether as many cages compute as there are cores. One whose run has just begun does: asking the
   * system costs reading a file, and may find it before it has woken up.
   */
  #coresBusy(head: PoolRun, nowMs: number): boolean {
    const { growAfterMs, cores } = this.#policy;
    if (nowMs - head.queuedAtMs < growAfterMs) return false;
    const busy = this.#stock.cages.filter(({ phase }) => phase === "busy");
    const older = busy.filter(({ lastUsedMs }) => nowMs - lastUsedMs >= growAfterMs);
    const young = busy.length - older.length;
    return young >= cores || young + computingCount(older.map(({ pid }) => pid)) >= cores;
  }

  /** Looks again at that time, or before; then once what cages have sent by then was read. */
  #wakeAt(atMs: number): void {
    if (this.#wake !== null && this.#wakeAtMs <= atMs) return;
    if (this.#wake !== null) clearTimeout(this.#wake);
    this.#wake = null;
    if (atMs === Infinity) return;
    const inMs = Math.max(0, Math.ceil(atMs - performance.now()));
    this.#wakeAtMs = atMs;
    this.#wake = setTimeout(() => {
      this.#wake = null;
      // Timers come before what was received, immediates after it.
      setImmediate(() => {
        this.#dispatch(true);
      });
    }, inMs);
  }

  #expire(nowMs: number): void {
    const expired = this.#queue.expired(nowMs - this.#policy.queueMs);
    for (const waiting of expired) this.#turnAway(waiting, "full");
    if (expired.length > 0) this.#dispatch();
  }

  #settle(): void {
    const quiet = this.#inFlight === 0 && this.#queue.length === 0;
    if (!quiet || (this.#closed && this.#stock.cages.length > 0)) return;
    for (const resolve of this.#whenQuiet.splice(0)) resolve();
  }
}
