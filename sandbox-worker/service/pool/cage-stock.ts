import type { PoolPolicy } from "../../config.ts";
import type { CageDeath, CageObserver, CageProcess } from "../cages/cage-process.ts";
import { Cage } from "../cages/cage.ts";
import type { CageOwner, EndReason } from "../cages/cage.ts";
import { log } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import { recycleReason, sparesToStart } from "./placement.ts";

/** A spare is replaced after the run that took it had the cores for itself. */
const REFILL_AFTER_MS = 15;
/** After a cage could not be started: first so long, then doubling up to the last. */
const BACKOFF_FIRST_MS = 100;
const BACKOFF_MAX_MS = 5_000;
/** Cages that boot at a time: more would only take turns. */
const BOOTING_MIN = 2;

/** Who makes cages' processes, and takes back what each had to itself. */
interface CageSource {
  /** Throws where it cannot. */
  start(id: number, observer: CageObserver): CageProcess;
  /** To be called once a cage is dead. */
  release(uid: number): void;
}

export interface StockParts {
  readonly policy: PoolPolicy;
  readonly factory: CageSource;
  readonly metrics: Metrics;
  /** A cage became free, or one is gone: what waits may be looked at again. */
  readonly changed: () => void;
}

/** All cages there are: keeps enough of them booted, recycles them, and buries them. */
export class CageStock implements CageOwner {
  readonly #parts: StockParts;
  readonly #cages: Cage[] = [];
  #awaited = 0;
  #nextId = 1;
  #booted = false;
  #closed = false;
  #failures = 0;
  #lastFailure: string | null = null;
  #refill: NodeJS.Timeout | null = null;

  constructor(parts: StockParts) {
    this.#parts = parts;
    this.#start();
  }

  get cages(): readonly Cage[] {
    return this.#cages;
  }

  /** Why no cage has ever been ready; null once one was. */
  get unready(): string | null {
    if (this.#booted) return null;
    return this.#lastFailure ?? "the first cages are starting";
  }

  find(id: number): Cage | undefined {
    return this.#cages.find((cage) => cage.id === id);
  }

  count(phase: Cage["phase"]): number {
    return this.#cages.filter((cage) => cage.phase === phase).length;
  }

  /** Says how many runs wait for a cage in the making: so many are made besides the spares, and at once. */
  await(runs: number): void {
    this.#awaited = runs;
    if (runs === 0) return;
    this.#start();
    for (const cage of this.#cages) cage.hurry();
  }

  refillSoon(): void {
    this.#refill ??= setTimeout(
      () => {
        this.#refill = null;
        this.#start();
      },
      this.#failures === 0 ? REFILL_AFTER_MS : backoffMs(this.#failures),
    );
  }

  recycle(nowMs: number): void {
    for (const cage of this.#cages) this.#recycleOne(cage, nowMs);
  }

  /** Kills every cage, and makes no more. Their deaths are told as they happen. */
  close(): void {
    this.#closed = true;
    if (this.#refill !== null) clearTimeout(this.#refill);
    for (const cage of this.#cages) cage.retire("shutdown");
  }

  free(cage: Cage): void {
    this.#booted = true;
    this.#failures = 0;
    this.#lastFailure = null;
    cage.lastUsedMs = performance.now();
    this.#recycleOne(cage, cage.lastUsedMs);
    this.#parts.changed();
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
    if (!this.#closed) this.refillSoon();
    this.#parts.changed();
  }

  #recycleOne(cage: Cage, nowMs: number): void {
    const reason = recycleReason(cage, nowMs, this.#parts.policy);
    if (reason !== null) cage.retire(reason);
  }

  #start(): void {
    const backsOff = this.#refill !== null && this.#failures > 0;
    if (this.#closed || backsOff) return;
    const { policy, factory } = this.#parts;
    const bootingMax = Math.max(BOOTING_MIN, policy.cores);
    const missing = sparesToStart(this.#cages, this.#awaited, policy, bootingMax);
    for (let left = missing; left > 0; left--) {
      const id = this.#nextId++;
      try {
        const start = (observer: CageObserver): CageProcess => factory.start(id, observer);
        this.#cages.push(new Cage(id, this, start, performance.now()));
      } catch (error) {
        this.#failures++;
        this.#lastFailure = "a cage could not be started";
        log("cage.not-started", { cage: id, error: String(error) });
        this.refillSoon();
        return;
      }
    }
  }

  #bootFailed(cage: Cage, { exitCode, signal, stderr }: CageDeath): void {
    this.#failures++;
    this.#lastFailure = "a cage died before it could take a run";
    log("cage.not-booted", { cage: cage.id, exitCode, signal, stderr: stderr.slice(0, 2000) });
  }
}

const backoffMs = (failures: number): number =>
  Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** Math.min(failures - 1, 10));
