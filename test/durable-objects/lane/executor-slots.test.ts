import { describe, expect, it } from "vitest";

import {
  chooseExecutor,
  type ExecutorSlots,
  slotsOf,
} from "../../../durable-objects/lane/executor-slots.ts";

const executor = (
  name: string,
  running: number,
  changes: Partial<ExecutorSlots> = {},
): ExecutorSlots => ({
  address: { name, url: `http://${name}.test` },
  running,
  slots: 2,
  avoidedUntil: 0,
  ...changes,
});

const chosen = (...executors: readonly ExecutorSlots[]) =>
  chooseExecutor(executors, 100)?.address.name;

describe("chooseExecutor()", () => {
  it.each([
    ["the least loaded", [executor("a", 1), executor("b", 0)], "b"],
    ["the first among equals", [executor("a", 1), executor("b", 1)], "a"],
    ["none that is full", [executor("a", 2), executor("b", 1)], "b"],
    ["none at all where all are full", [executor("a", 2)], undefined],
    ["none where there is none", [], undefined],
    ["none that is avoided", [executor("a", 0, { avoidedUntil: 101 }), executor("b", 1)], "b"],
    ["one whose time of being avoided is over", [executor("a", 0, { avoidedUntil: 100 })], "a"],
    ["the emptier by its own size", [executor("a", 2, { slots: 8 }), executor("b", 1)], "a"],
    [
      "the one with fewer where slots are unlimited",
      [executor("a", 9, { slots: Infinity }), executor("b", 8, { slots: Infinity })],
      "b",
    ],
  ])("takes %s", (_, executors, expected) => {
    expect(chosen(...executors)).toBe(expected);
  });
});

describe("slotsOf()", () => {
  it.each([
    ["as many as are set", 2, undefined, false, 2],
    ["any number where 0 is set", 0, undefined, false, Infinity],
    ["as many as are set, whatever is recommended", 2, 7, false, 2],
    ["as many as are recommended, where that is followed", 2, 7, true, 7],
    ["one at least", 2, 0, true, 1],
    ["as many as are set while nothing is recommended", 2, undefined, true, 2],
  ])("is %s", (_, configured, recommended, isAdaptive, expected) => {
    expect(slotsOf(configured, recommended, isAdaptive)).toBe(expected);
  });
});
