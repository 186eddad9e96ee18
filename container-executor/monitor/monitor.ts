import type {
  ContainerHealth,
  ContainerStats,
  HealthReport,
} from "../../protocol/container-api.ts";
import type { MonitorThresholds } from "../config.ts";
import { log } from "../log.ts";
import { pressureOf } from "./health-level.ts";
import type { Pressure } from "./health-level.ts";

/** Five minutes, one a second. */
const HISTORY_MAX = 300;

interface Watched {
  readonly history: (ContainerStats & { readonly atMs: number })[];
  pressure: Pressure;
}

const CALM: Pressure = { level: "OK", reasons: [] };

/** How hard the running containers press against their limits, now and over the last minutes. */
export class Monitor {
  readonly #thresholds: MonitorThresholds;
  readonly #watched = new Map<string, Watched>();

  constructor(thresholds: MonitorThresholds) {
    this.#thresholds = thresholds;
  }

  watch(runId: string): void {
    this.#watched.set(runId, { history: [], pressure: CALM });
  }

  forget(runId: string): void {
    this.#watched.delete(runId);
  }

  /** `atMs` is the calendar's time. A run that is not watched is not heard of. */
  observe(runId: string, stats: ContainerStats, pidsLimit: number | null, atMs: number): void {
    const watched = this.#watched.get(runId);
    if (watched === undefined) return;
    watched.history.push({ ...stats, atMs });
    if (watched.history.length > HISTORY_MAX) watched.history.shift();
    const before = watched.pressure.level;
    watched.pressure = pressureOf(stats, pidsLimit, this.#thresholds);
    const { level, reasons } = watched.pressure;
    if (level !== before) log("run.health", { runId, level, reasons });
  }

  report(): HealthReport {
    const containers = [...this.#watched].map(([runId, watched]) => healthOf(runId, watched));
    return {
      healthyContainers: containers.filter(({ level }) => level === "OK").length,
      totalContainers: containers.length,
      containers,
    };
  }

  /** One run's health with its history, oldest first; undefined where it is not running. */
  healthOf(runId: string): ContainerHealth | undefined {
    const watched = this.#watched.get(runId);
    if (watched === undefined) return undefined;
    return { ...healthOf(runId, watched), history: [...watched.history] };
  }
}

function healthOf(runId: string, { history, pressure }: Watched): ContainerHealth {
  const latest = history.at(-1);
  const { level, reasons } = pressure;
  if (latest === undefined) return { runId, level, reasons: [...reasons], stats: null };
  const { atMs: _, ...stats } = latest;
  return { runId, level, reasons: [...reasons], stats };
}
