import type { Outcome } from "../../../../protocol/outcome.ts";

/** A program that means harm, and the ends it may come to. */
export interface HostileProgram {
  readonly name: string;
  /** JavaScript of the entry module. */
  readonly code: string;
  readonly ends: readonly Outcome[];
}

/** Stopped by its time: which of the two limits is met first is the machine's choice. */
export const TIME = ["cpu_timeout", "wall_timeout"] as const;
/** Stopped by its time, or by the memory that it took meanwhile. */
export const STOPPED = [...TIME, "memory_limit"] as const;
/** Stopped, or refused by the engine in a way that the program could have caught. */
export const CONTAINED = [...STOPPED, "failed"] as const;
/** Whatever it comes to is its own affair, as long as it ends. */
export const ENDED = [...CONTAINED, "ok", "output_limit"] as const;

type Row = readonly [name: string, statements: string, ends: readonly Outcome[]];

/** Programs of rows: each is the body of the default export, an async function. */
export const hostilePrograms = (rows: readonly Row[]): readonly HostileProgram[] =>
  rows.map(([name, statements, ends]) => ({
    name,
    code: `export default async () => {\n${statements}\n};`,
    ends,
  }));
