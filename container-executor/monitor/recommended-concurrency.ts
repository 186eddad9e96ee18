/** What this machine has, and what one container of the usual limits takes of it. */
export interface Capacity {
  readonly cores: number;
  readonly memoryBytes: number;
  /** null where containers have no such limit. */
  readonly containerCpus: number | null;
  readonly containerMemoryBytes: number | null;
}

/** Of the memory; the rest is the system's, the engine's and the service's own. */
const MEMORY_SHARE = 0.75;
/** Per two cores. Containers wait more than they compute; beyond this they only wait for each other. */
const PER_TWO_CORES_MIN = 1;
const PER_TWO_CORES_MAX = 4;

/**
 * How many containers at once suit the machine: what cores and memory hold of the usual container,
 * within one to four per two cores. Without a CPU limit each container is taken for a core.
 */
export function calculateRecommendedConcurrency(capacity: Capacity): number {
  const { cores, memoryBytes, containerCpus, containerMemoryBytes } = capacity;
  const pairs = Math.max(1, Math.floor(cores / 2));
  const byCpu = Math.floor(cores / (containerCpus ?? 1));
  const byMemory =
    containerMemoryBytes === null
      ? Infinity
      : Math.floor((memoryBytes * MEMORY_SHARE) / containerMemoryBytes);
  const least = Math.min(PER_TWO_CORES_MIN * pairs, Math.max(1, byMemory));
  return Math.max(least, Math.min(byCpu, byMemory, PER_TWO_CORES_MAX * pairs));
}

/** The machine's load as it was seen over the last while, oldest first. */
export interface LoadSample {
  readonly cpuPercent: number;
  readonly memoryAvailableBytes: number;
}

const CPU_CALM_PERCENT = 60;
/** Fewer samples say nothing about steadiness. */
const SAMPLES_MIN = 5;
/** How far the available memory may move between samples and still be steady, as a share of the total. */
const MEMORY_STEADY_SHARE = 0.05;

/**
 * Whether one more container at once is safe now: the CPU was under 60 % on average, the available
 * memory kept steady, and one more container of the usual limits fits into it.
 */
export function canIncreaseConcurrency(
  samples: readonly LoadSample[],
  capacity: Capacity,
  current: number,
): boolean {
  if (current >= calculateRecommendedConcurrency(capacity)) return false;
  if (samples.length < SAMPLES_MIN) return false;
  const meanCpu = samples.reduce((sum, { cpuPercent }) => sum + cpuPercent, 0) / samples.length;
  const available = samples.map(({ memoryAvailableBytes }) => memoryAvailableBytes);
  const least = Math.min(...available);
  const moved = Math.max(...available) - least;
  return (
    meanCpu < CPU_CALM_PERCENT &&
    moved <= capacity.memoryBytes * MEMORY_STEADY_SHARE &&
    least >= (capacity.containerMemoryBytes ?? 0)
  );
}
