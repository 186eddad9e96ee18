import { describe, expect, test } from "vitest";

import { pressureOf } from "../../../container-executor/monitor/health-level.ts";
import { Monitor } from "../../../container-executor/monitor/monitor.ts";
import {
  calculateRecommendedConcurrency,
  canIncreaseConcurrency,
} from "../../../container-executor/monitor/recommended-concurrency.ts";
import { statsBetween } from "../../../container-executor/runs/use-sampler.ts";

const LEVELS = { warnPercent: 80, critPercent: 95 };
const THRESHOLDS = { cpu: LEVELS, memory: LEVELS, pids: LEVELS };
const stats = (cpuPercent = 0, memoryPercent: number | null = 0, pids = 1) => ({
  cpuPercent,
  memoryBytes: 1,
  memoryPercent,
  pids,
});

describe("health", () => {
  test.for([
    ["calm", stats(79.9), "OK", []],
    ["at the warning", stats(80), "WARNING", ["cpu"]],
    ["at the critical", stats(95), "CRITICAL", ["cpu"]],
    ["memory", stats(0, 96), "CRITICAL", ["memory"]],
    ["processes", stats(0, 0, 9), "WARNING", ["pids"]],
    ["the worst of two", stats(85, 99), "CRITICAL", ["cpu", "memory"]],
    ["no memory limit", stats(0, null), "OK", []],
  ] as const)("%s", ([, use, level, reasons]) => {
    expect(pressureOf(use, 10, THRESHOLDS)).toEqual({ level, reasons });
  });

  test("without a limit processes never press", () => {
    expect(pressureOf(stats(0, 0, 100_000), null, THRESHOLDS).level).toBe("OK");
  });

  test("the monitor keeps a bounded history, and forgets what ended", () => {
    const monitor = new Monitor(THRESHOLDS);
    monitor.observe("unwatched", stats(), 10, 0);
    monitor.watch("a");
    monitor.watch("b");
    for (let at = 0; at < 400; at++) monitor.observe("a", stats(99), 10, at);
    expect(monitor.healthOf("a")?.history).toHaveLength(300);
    expect(monitor.report()).toMatchObject({
      healthyContainers: 1,
      totalContainers: 2,
      containers: [
        { runId: "a", level: "CRITICAL", reasons: ["cpu"] },
        { runId: "b", level: "OK", stats: null },
      ],
    });
    monitor.forget("a");
    expect(monitor.healthOf("a")).toBeUndefined();
  });
});

const GIB = 1024 ** 3;
const capacity = (cores: number, memoryGib: number, containerCpus: number | null = 1) => ({
  cores,
  memoryBytes: memoryGib * GIB,
  containerCpus,
  containerMemoryBytes: 2 * GIB,
});

describe("recommended concurrency", () => {
  test.for([
    ["two cores of one each", capacity(2, 24), 2],
    ["half a core each", capacity(2, 24, 0.5), 4],
    ["never more than four per two cores", capacity(2, 240, 0.1), 4],
    ["memory for one", capacity(8, 3), 1],
    ["never none", capacity(1, 1), 1],
    ["at least one per two cores", capacity(4, 64, 4), 2],
    ["no CPU limit", capacity(4, 64, null), 4],
  ] as const)("%s", ([, machine, expected]) => {
    expect(calculateRecommendedConcurrency(machine)).toBe(expected);
  });

  const calm = Array.from({ length: 10 }, () => ({
    cpuPercent: 20,
    memoryAvailableBytes: 20 * GIB,
  }));
  const machine = capacity(2, 24);

  test.for([
    ["calm, and fewer than recommended", calm, 1, true],
    ["as many as recommended", calm, 2, false],
    ["too few looks", calm.slice(0, 4), 1, false],
    ["a busy CPU", calm.map((one) => ({ ...one, cpuPercent: 60 })), 1, false],
    [
      "memory that moves",
      calm.map((one, i) => ({ ...one, memoryAvailableBytes: (20 - i) * GIB })),
      1,
      false,
    ],
    ["no room for another", calm.map((one) => ({ ...one, memoryAvailableBytes: GIB })), 1, false],
  ] as const)("%s", ([, samples, current, expected]) => {
    expect(canIncreaseConcurrency(samples, machine, current)).toBe(expected);
  });
});

test("use is told in percent of the container's own limits", () => {
  const before = { use: { cpuMs: 100, memoryBytes: 0, pids: 1 }, atMs: 1000 };
  const after = { use: { cpuMs: 350, memoryBytes: 64 * 1024 * 1024, pids: 5 }, atMs: 2000 };
  expect(statsBetween(before, after, { cpus: 0.5, memoryMb: 128 }, 8)).toEqual({
    cpuPercent: 50,
    memoryBytes: 64 * 1024 * 1024,
    memoryPercent: 50,
    pids: 5,
  });
  const unlimited = statsBetween(before, after, { cpus: null, memoryMb: null }, 2);
  expect(unlimited).toMatchObject({ cpuPercent: 12.5, memoryPercent: null });
});
