import type { Lane } from "../../protocol/outcome.ts";
import type { Usage } from "../../protocol/tenant.ts";
import type { UsedToday } from "./quota.ts";

/** What one event adds to a day's use of a lane; negative to take it back. */
export interface UsageChange {
  readonly runs: number;
  readonly cpuMs: number;
  readonly wallMs: number;
}

/**
 * Counts a tenant's use in memory, as totals by day and lane, and knows which were not written yet.
 *
 * At most the use since the last write is lost when an object dies; nothing is counted twice.
 */
export class UsageLedger {
  readonly #totals = new Map<string, Usage>();
  readonly #unwritten = new Set<string>();

  constructor(written: readonly Usage[]) {
    for (const usage of written) this.#totals.set(keyOf(usage.day, usage.lane), usage);
  }

  add(day: string, lane: Lane, change: UsageChange): void {
    const key = keyOf(day, lane);
    const before = this.#totals.get(key) ?? { day, lane, runs: 0, cpuMs: 0, wallMs: 0 };
    this.#totals.set(key, {
      day,
      lane,
      runs: Math.max(0, before.runs + change.runs),
      cpuMs: before.cpuMs + change.cpuMs,
      wallMs: before.wallMs + change.wallMs,
    });
    this.#unwritten.add(key);
  }

  /** A day's use on all lanes together. */
  usedOn(day: string): UsedToday {
    let runs = 0;
    let cpuMs = 0;
    for (const usage of this.#totals.values()) {
      if (usage.day !== day) continue;
      runs += usage.runs;
      cpuMs += usage.cpuMs;
    }
    return { runs, cpuMs };
  }

  /** The totals that are to be written; `markWritten` with them once they are. */
  unwritten(): readonly Usage[] {
    return [...this.#unwritten].flatMap((key) => this.#totals.get(key) ?? []);
  }

  /** Forgets what is written and no longer of `today`, so that memory holds a day or two. */
  markWritten(written: readonly Usage[], today: string): void {
    for (const usage of written) {
      const key = keyOf(usage.day, usage.lane);
      if (this.#totals.get(key) === usage) this.#unwritten.delete(key);
    }
    for (const [key, usage] of this.#totals) {
      if (usage.day < today && !this.#unwritten.has(key)) this.#totals.delete(key);
    }
  }
}

const keyOf = (day: string, lane: string): string => `${day} ${lane}`;
