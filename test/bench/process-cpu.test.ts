import { describe, expect, test } from "vitest";

import { descendants, parseStat, processTree } from "../../bench/process-cpu.ts";

const line = (pid: number, name: string, parent: number) =>
  `${pid} (${name}) S ${parent} 1 1 0 -1 4194304 500 0 0 0 11 22 33 44 20 0 7 0 100 1000 200`;

describe("a line of /proc/<pid>/stat", () => {
  test("gives the parent, and own and waited-for children's ticks together", () => {
    expect(parseStat(line(42, "node", 7))).toEqual({ pid: 42, parent: 7, cpuTicks: 110 });
  });

  test("may have any command name", () => {
    expect(parseStat(line(42, "a) S 9 (b", 7))).toEqual({ pid: 42, parent: 7, cpuTicks: 110 });
  });

  test("that was cut short is none", () => {
    expect(parseStat("42 (node) S 7")).toBeUndefined();
  });
});

test("a tree has the root and everything below it, and nothing else", () => {
  const process = (pid: number, parent: number) => ({ pid, parent, cpuTicks: 0 });
  const all = [process(4, 3), process(1, 0), process(2, 1), process(3, 2), process(5, 1)];
  expect(descendants(2, all).map(({ pid }) => pid)).toEqual([2, 3, 4]);
});

test("this process has a tree, and a pid that nobody has none", () => {
  expect(processTree(process.pid)[0]?.pid).toBe(process.pid);
  expect(processTree(2 ** 30)).toEqual([]);
});
