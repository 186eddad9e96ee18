import { describe, expect, test } from "vitest";

import { readCommandLine } from "../../bench/command-line.ts";
import type { Suite } from "../../bench/suite.ts";

const suite = (name: string): Suite => ({
  name,
  title: name,
  run: () => Promise.resolve({ results: [], findings: [], notes: [] }),
});
const lanes = { isolate: [suite("latency"), suite("warm")], queue: [suite("rate")] };
const read = (...args: string[]) => readCommandLine(args, lanes);

describe("the bench's command line", () => {
  test("measures every suite of a lane in five rounds", () => {
    expect(read("isolate")).toEqual({
      lanes: [{ name: "isolate", suites: lanes.isolate }],
      rounds: 5,
      quick: false,
      anyway: false,
      writeReadme: false,
    });
  });

  test("takes suites by name", () => {
    const warm = { name: "isolate", suites: [lanes.isolate[1]] };
    expect(read("isolate", "--only", "warm").lanes).toEqual([warm]);
    expect(read("queue", "isolate", "--only", "warm").lanes).toEqual([warm]);
  });

  test("measures several lanes in the order named, each once", () => {
    const names = read("queue", "isolate", "queue").lanes.map(({ name }) => name);
    expect(names).toEqual(["queue", "isolate"]);
  });

  test("takes more rounds, and refuses fewer", () => {
    expect(read("isolate", "--rounds", "9").rounds).toBe(9);
    expect(() => read("isolate", "--rounds", "4")).toThrow("at least 5");
    expect(() => read("isolate", "--rounds", "many")).toThrow('"many"');
  });

  test("makes a quick look of one round, which no README may quote", () => {
    expect(read("isolate", "--quick").rounds).toBe(1);
    expect(() => read("isolate", "--quick", "--write-readme")).toThrow("README");
  });

  test.each([[[]], [["nothing"]], [["isolate", "more"]]])("refuses the lane in %j", (args) => {
    expect(() => read(...args)).toThrow("name one or more of isolate, queue");
  });

  test("refuses a suite that there is not", () => {
    expect(() => read("isolate", "--only", "cold")).toThrow("latency, warm");
  });
});
