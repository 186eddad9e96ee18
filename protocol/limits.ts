/**
 * Every limit that a request may set: its name, unit, variable and range, lane by lane.
 *
 * A variable is the default, and the most a request may ask for, too, unless `<NAME>_MAX` or a
 * tenant's override says more. What is above the maximum or below the floor is refused by name,
 * never clamped.
 */
export interface LimitSpec<Name extends string = string> {
  /** As in the request: `limits.<name>`. */
  readonly name: Name;
  readonly variable: string;
  readonly unit: "ms" | "MB" | "bytes" | "cores" | "processes";
  readonly floor: number;
  readonly reason: string;
}

/** Values of a lane's limits by name; null is unlimited, where an operator may remove one. */
export interface IsolateLimitValues {
  readonly wallMs: number;
  readonly cpuMs: number;
  readonly memoryMb: number;
  readonly outputBytes: number;
}
export type IsolateLimitName = keyof IsolateLimitValues;

export interface ContainerLimitValues {
  readonly wallMs: number;
  readonly cpuMs: number | null;
  readonly memoryMb: number | null;
  readonly outputBytes: number;
  readonly cpus: number | null;
  readonly pids: number | null;
  readonly diskMb: number;
}
export type ContainerLimitName = keyof ContainerLimitValues;

export const ISOLATE_LIMITS: readonly LimitSpec<IsolateLimitName>[] = [
  {
    name: "wallMs",
    variable: "ISOLATE_WALL_MS",
    unit: "ms",
    floor: 10,
    reason: "a run that waits for ever holds its cage for ever",
  },
  {
    name: "cpuMs",
    variable: "ISOLATE_CPU_MS",
    unit: "ms",
    floor: 1,
    reason: "a loop takes a core from everyone",
  },
  {
    name: "memoryMb",
    variable: "ISOLATE_MEMORY_MB",
    unit: "MB",
    floor: 16,
    reason: "V8 itself needs some 10 MB; what is above the cap is the neighbours' memory",
  },
  {
    name: "outputBytes",
    variable: "ISOLATE_OUTPUT_BYTES",
    unit: "bytes",
    floor: 1,
    reason: "a logging loop fills the answer and the wire",
  },
];

/** Variables named after Docker's own words may be empty, which removes the limit. */
export const CONTAINER_LIMITS: readonly LimitSpec<ContainerLimitName>[] = [
  {
    name: "wallMs",
    variable: "CONTAINER_WALL_MS",
    unit: "ms",
    floor: 10,
    reason: "a job that waits for ever holds its slot for ever",
  },
  {
    name: "cpuMs",
    variable: "CONTAINER_CPU_MS",
    unit: "ms",
    floor: 1,
    reason: "CPU is what is paid for, whatever the time it took",
  },
  {
    name: "memoryMb",
    variable: "DOCKER_MEMORY_LIMIT",
    unit: "MB",
    floor: 16,
    reason: "a shell and its init need some; what is above the cap is the neighbours' memory",
  },
  {
    name: "outputBytes",
    variable: "CONTAINER_OUTPUT_BYTES",
    unit: "bytes",
    floor: 1,
    reason: "a loop that prints fills the event log and every follower's wire",
  },
  {
    name: "cpus",
    variable: "DOCKER_CPU_LIMIT",
    unit: "cores",
    floor: 0.01,
    reason:
      "the engine grants no less than a hundredth of a core; what is above is the neighbours'",
  },
  {
    name: "pids",
    variable: "DOCKER_PIDS_LIMIT",
    unit: "processes",
    floor: 8,
    reason: "init and a shell with a pipe need some; a fork bomb needs the rest of the host's",
  },
  {
    name: "diskMb",
    variable: "CONTAINER_DISK_MB",
    unit: "MB",
    floor: 1,
    reason: "the work folder lives in memory, so what is written there is memory",
  },
];

/**
 * What a request may use where it says nothing, the most it may ask for, and what set each.
 *
 * Null is unlimited: an operator's choice that no request can make.
 */
export interface EffectiveLimit<Value extends number | null = number | null> {
  readonly default: Value;
  readonly maximum: Value;
  readonly floor: number;
  readonly unit: LimitSpec["unit"];
  readonly setBy: string;
  readonly maximumSetBy: string;
}
