import { parseArgs } from "node:util";

import type { Suite } from "./suite.ts";

export interface BenchOptions {
  readonly suites: readonly Suite[];
  readonly rounds: number;
  /** One short round of everything: whether it runs, not how fast. */
  readonly quick: boolean;
  /** Report on a busy machine, too, every row marked. */
  readonly anyway: boolean;
  readonly writeReadme: boolean;
}

/** Fewer are not reported as a measurement: one odd round must not be the result. */
const ROUNDS_MIN = 5;

export const USAGE = `npm run bench -- <lane> [options]

  --rounds N       rounds of each measurement, at least ${ROUNDS_MIN} (default ${ROUNDS_MIN})
  --quick          one short round of everything: shows that it runs, measures nothing
  --only NAME      this suite only; may be repeated
  --anyway         report on a busy machine, too, with every row marked
  --write-readme   put the results into bench/README.md`;

/**
 * Reads the command line.
 *
 * @throws {TypeError} Saying what is wrong with it.
 */
export function readCommandLine(
  args: readonly string[],
  lanes: Readonly<Record<string, readonly Suite[]>>,
): BenchOptions {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      rounds: { type: "string", default: String(ROUNDS_MIN) },
      quick: { type: "boolean", default: false },
      only: { type: "string", multiple: true, default: [] },
      anyway: { type: "boolean", default: false },
      "write-readme": { type: "boolean", default: false },
    },
  });
  const [lane, ...rest] = positionals;
  const suites = lane === undefined ? undefined : lanes[lane];
  if (suites === undefined || rest.length > 0) {
    throw new TypeError(
      `Cannot choose what to measure: name one of ${Object.keys(lanes).join(", ")}`,
    );
  }
  const unknown = values.only.find((name) => suites.every((suite) => suite.name !== name));
  if (unknown !== undefined) {
    const names = suites.map(({ name }) => name).join(", ");
    throw new TypeError(`Cannot measure "${unknown}": the suites are ${names}`);
  }
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < ROUNDS_MIN) {
    throw new TypeError(
      `Cannot take "${values.rounds}" rounds: must be a whole number of at least ${ROUNDS_MIN}`,
    );
  }
  if (values.quick && values["write-readme"]) {
    throw new TypeError("Cannot write a quick look into the README: it measures nothing");
  }
  return {
    suites:
      values.only.length === 0 ? suites : suites.filter(({ name }) => values.only.includes(name)),
    rounds: values.quick ? 1 : rounds,
    quick: values.quick,
    anyway: values.anyway,
    writeReadme: values["write-readme"],
  };
}
