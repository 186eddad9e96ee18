import type { Result } from "./contest.ts";
import type { Spread } from "./statistics.ts";

/** What every suite is given. */
interface BenchContext {
  readonly rounds: number;
  /** Multiplies the seconds of every measurement: 1, or less for a look at whether all of it runs. */
  readonly scale: number;
  /** The project's folder. */
  readonly root: string;
  /** Keeps what the bench installs and leaves behind. */
  readonly folder: string;
  /** Aborted when the bench is to end early; checked between measurements. */
  readonly signal: AbortSignal;
  /** Tells whoever waits what is under way. */
  readonly say: (line: string) => void;
}

/** What a figure is to reach. */
export interface Goal {
  readonly at: "most" | "least";
  readonly bound: number;
}

/** One figure that was looked for: a ratio, a rate, a time. */
export interface Finding {
  readonly what: string;
  readonly unit: "x" | "/s" | "ms" | "us" | "rows";
  readonly value: Spread;
  readonly goal: Goal | null;
}

/** What a suite found. */
export interface Section {
  readonly suite: string;
  readonly title: string;
  readonly results: readonly Result[];
  readonly findings: readonly Finding[];
  /** What a reader must know to judge the figures. */
  readonly notes: readonly string[];
}

export interface Suite {
  /** For `--only`. */
  readonly name: string;
  readonly title: string;
  /**
   * @throws {Error} Where something could not be run: a figure from half a measurement is none.
   */
  run(context: BenchContext): Promise<Omit<Section, "suite" | "title">>;
}

/** Whether a goal is reached by the middle of its figure's rounds. */
export function isReached({ at, bound }: Goal, { median }: Spread): boolean {
  return at === "most" ? median <= bound : median >= bound;
}
