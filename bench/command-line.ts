import { parseArgs } from "node:util";

import type { Suite } from "./suite.ts";

/** A lane to be measured, and what of it. */
export interface ChosenLane {
  readonly name: string;
  readonly suites: readonly Suite[];
}

export interface BenchOptions {
  /** In the order that they were named in; each has something to measure. */
  readonly lanes: readonly ChosenLane[];
  readonly rounds: number;
  /** One short round of everything: whether it runs, not how fast. */
  readonly quick: boolean;
  /** Report on a busy machine, too, every row marked. */
  readonly anyway: boolean;
  readonly writeReadme: boolean;
}

/** Fewer are not reported as a measurement: one odd round must not be the result. */
const ROUNDS_MIN = 5;

export const USAGE = `npm run bench -- <lane>… [options]

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
  const chosen = [...new Set(positionals)].map((name) => ({ name, suites: lanes[name] ?? [] }));
  if (chosen.length === 0 || chosen.some(({ suites }) => suites.length === 0)) {
    throw new TypeError(
      `Cannot choose what to measure: name one or more of ${Object.keys(lanes).join(", ")}`,
    );
  }
  const names = chosen.flatMap(({ suites }) => suites.map(({ name }) => name));
  const unknown = values.only.find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw new TypeError(`Cannot measure "${unknown}": the suites are ${names.join(", ")}`);
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
    lanes:
      values.only.length === 0
        ? chosen
        : chosen
            .map(({ name, suites }) => ({
              name,
              suites: suites.filter((suite) => values.only.includes(suite.name)),
            }))
            .filter(({ suites }) => suites.length > 0),
    rounds: values.quick ? 1 : rounds,
    quick: values.quick,
    anyway: values.anyway,
    writeReadme: values["write-readme"],
  };
}
