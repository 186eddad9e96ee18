import type { ContainerStats, HealthLevel } from "../../protocol/container-api.ts";
import type { MonitorThresholds, Threshold } from "../config.ts";

/** How hard a use presses, and by what. */
export interface Pressure {
  readonly level: HealthLevel;
  readonly reasons: readonly string[];
}

const RANK: Readonly<Record<HealthLevel, number>> = { OK: 0, WARNING: 1, CRITICAL: 2 };

/**
 * Holds a use against the thresholds: at a threshold is over it. What has no limit never presses.
 * The level is the worst of the three, and every one that is not OK is a reason.
 */
export function pressureOf(
  stats: ContainerStats,
  pidsLimit: number | null,
  thresholds: MonitorThresholds,
): Pressure {
  const pidsPercent = pidsLimit === null ? null : (stats.pids / pidsLimit) * 100;
  const levels: readonly (readonly [string, HealthLevel])[] = [
    ["cpu", levelOf(stats.cpuPercent, thresholds.cpu)],
    ["memory", levelOf(stats.memoryPercent, thresholds.memory)],
    ["pids", levelOf(pidsPercent, thresholds.pids)],
  ];
  return {
    level: levels.reduce<HealthLevel>(
      (worst, [, level]) => (RANK[level] > RANK[worst] ? level : worst),
      "OK",
    ),
    reasons: levels.filter(([, level]) => level !== "OK").map(([name]) => name),
  };
}

function levelOf(percent: number | null, { warnPercent, critPercent }: Threshold): HealthLevel {
  if (percent === null || percent < warnPercent) return "OK";
  return percent < critPercent ? "WARNING" : "CRITICAL";
}
