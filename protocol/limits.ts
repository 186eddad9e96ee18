/**
 * Every limit of the isolate lane that a request may set: its name, unit, variable and range.
 *
 * A variable is the default, and the most a request may ask for, too, unless `<NAME>_MAX` or a
 * tenant's override says more. What is above the maximum or below the floor is refused by name,
 * never clamped.
 */
export interface LimitSpec {
  /** As in the request: `limits.<name>`. */
  readonly name: "wallMs" | "cpuMs" | "memoryMb" | "outputBytes";
  readonly variable: string;
  readonly unit: "ms" | "MB" | "bytes";
  readonly floor: number;
  readonly reason: string;
}

export const ISOLATE_LIMITS: readonly LimitSpec[] = [
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

export type LimitName = LimitSpec["name"];

/** What a request may use where it says nothing, the most it may ask for, and what set each. */
export interface EffectiveLimit {
  readonly default: number;
  readonly maximum: number;
  readonly floor: number;
  readonly unit: LimitSpec["unit"];
  readonly setBy: string;
  readonly maximumSetBy: string;
}
