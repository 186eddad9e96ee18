import type { RunOrder } from "../../../protocol/sandbox-api.ts";
import type { Frame } from "../../frames.ts";
import type { CagePhase, CageView } from "../pool/placement.ts";
import { cageLimitBytes, isBloated } from "./cage-memory.ts";
import type { CageDeath, CageObserver, CageProcess } from "./cage-process.ts";
import { CageRun } from "./cage-run.ts";
import type { CageRunEnd, CageRunOptions } from "./cage-run.ts";

/** A cage that takes longer to boot has hung. */
const BOOT_MAX_MS = 20_000;
/** Nor does it take long to clean up after a run. */
const CLEAN_MAX_MS = 5_000;
/** Memory is looked at between runs, but no more often than this. */
const MEMORY_CHECK_EVERY_MS = 100;

/** Warm instances that a cage is taken to hold: the latest. Where it has dropped one, it makes it anew. */
const AFFINITIES_MAX = 8;

/** Why a cage ended, for the count of replacements. */
export type EndReason =
  | "runs"
  | "age"
  | "idle"
  | "evicted"
  | "memory"
  | "spent"
  | "boot"
  | "hung"
  | "crashed"
  | "shutdown";

/** Who owns cages, and is told of what changes in one. */
export interface CageOwner {
  /** It can take a run now. */
  free(cage: Cage): void;
  /** Its process is gone; it never changes again. */
  dead(cage: Cage, death: CageDeath, reason: EndReason): void;
}

/** What a run in a cage is told, and tells. */
export type BeginOptions = Omit<CageRunOptions, "ended"> & {
  readonly ended: (end: CageRunEnd) => void;
};

/** One cage's life, as `CagePhase` draws it. */
export class Cage implements CageView, CageObserver {
  readonly id: number;
  readonly affinities = new Set<string>();
  phase: CagePhase = "booting";
  tenant: string | null = null;
  memoryMb = 0;
  claimedAtMs = 0;
  lastUsedMs: number;
  runs = 0;

  readonly #process: CageProcess;
  readonly #owner: CageOwner;
  #run: CageRun | null = null;
  #reason: EndReason | null = null;
  #timer: NodeJS.Timeout | null = null;
  #memoryCheckedMs = 0;

  /** Starts the process. Throws where that cannot be done. */
  constructor(
    id: number,
    owner: CageOwner,
    start: (observer: CageObserver) => CageProcess,
    nowMs: number,
  ) {
    this.id = id;
    this.#owner = owner;
    this.lastUsedMs = nowMs;
    this.#process = start(this);
    this.#expect(BOOT_MAX_MS, "boot");
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  get uid(): number {
    return this.#process.uid;
  }

  /** Starts a run in a spare or idle cage. Throws where its memory limit cannot be set. */
  begin(options: BeginOptions, nowMs: number): void {
    const { order } = options.run;
    this.#claim(order, nowMs);
    this.phase = "busy";
    this.runs++;
    this.lastUsedMs = nowMs;
    const { ended } = options;
    this.#run = new CageRun(this.#process, {
      ...options,
      ended: (end, reusable) => {
        this.#run = null;
        if (reusable) this.#expect(CLEAN_MAX_MS, "hung");
        else this.retire("spent");
        ended(end);
      },
    });
  }

  /** A run waits for it to boot. */
  hurry(): void {
    if (this.phase === "booting") this.#process.hurry();
  }

  cancelRun(): void {
    this.#run?.cancel();
  }

  /** Ends the cage; a run under way ends with it. Once is enough. */
  retire(reason: EndReason): void {
    this.#reason ??= reason;
    if (this.phase !== "busy") this.phase = "leaving";
    if (reason === "shutdown") this.#run?.kill("shutdown");
    this.#process.kill();
  }

  ready(): void {
    if (this.#reason !== null || this.#run !== null) return;
    this.#clearTimer();
    this.phase = this.tenant === null ? "spare" : "idle";
    if (this.#holdsTooMuch()) this.retire("memory");
    else this.#owner.free(this);
  }

  frame(frame: Frame): void {
    this.#run?.frame(frame);
  }

  broken(): void {
    if (this.#run === null) this.retire("crashed");
    else this.#run.kill("broken");
  }

  died(death: CageDeath): void {
    this.#clearTimer();
    const reason = this.#reason ?? (this.phase === "booting" ? "boot" : "crashed");
    this.phase = "leaving";
    const run = this.#run;
    this.#run = null;
    this.#owner.dead(this, death, reason);
    run?.died(death);
  }

  /** Its group, once it is dead. */
  async removeMemory(): Promise<void> {
    await this.#process.memory.remove();
  }

  #claim(order: RunOrder, nowMs: number): void {
    if (this.tenant === null) {
      this.tenant = order.tenant;
      this.claimedAtMs = nowMs;
    }
    if (order.caps.memoryMb > this.memoryMb) {
      this.#process.memory.setLimit(cageLimitBytes(order.caps.memoryMb));
      this.memoryMb = order.caps.memoryMb;
    }
    if (order.affinity !== null) this.#remember(order.affinity);
  }

  #remember(affinity: string): void {
    this.affinities.delete(affinity);
    this.affinities.add(affinity);
    const [oldest] = this.affinities;
    if (this.affinities.size > AFFINITIES_MAX && oldest !== undefined) {
      this.affinities.delete(oldest);
    }
  }

  #holdsTooMuch(): boolean {
    if (this.tenant === null) return false;
    const nowMs = performance.now();
    if (nowMs - this.#memoryCheckedMs < MEMORY_CHECK_EVERY_MS) return false;
    this.#memoryCheckedMs = nowMs;
    return isBloated(this.#process.memory.heldBytes(), this.memoryMb);
  }

  #expect(withinMs: number, otherwise: EndReason): void {
    this.#clearTimer();
    this.#timer = setTimeout(() => {
      this.retire(otherwise);
    }, withinMs);
  }

  #clearTimer(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
