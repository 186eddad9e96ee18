/**
 * The memory that a cage's main thread and its watchdog share.
 *
 * The phase says whose turn it is: 0 while no run is under way, a run's own odd number while one
 * is, -1 once the watchdog has decided to kill. Only a compare-and-swap leaves a run's number, so
 * a run either ends or is killed, never both.
 */
export const PHASE_IDLE = 0;
export const PHASE_KILLING = -1;

const Flag = { phase: 0, asleep: 1 } as const;
const Amount = { deadlineMs: 0, cpuLimitMs: 1, cpuStartMs: 2 } as const;
const FLAG_BYTES = 16;

export interface ArmedRun {
  /** On `monotonicMs`' clock. */
  readonly deadlineMs: number;
  readonly cpuLimitMs: number;
  /** What `processCpuMs` said when the run began. */
  readonly cpuStartMs: number;
}

/** Milliseconds of a clock that both threads read alike and nobody sets. */
export const monotonicMs = (): number => Number(process.hrtime.bigint()) / 1e6;

/**
 * CPU time of the whole process, in milliseconds: the main thread's, and that of V8's helpers and
 * the thread pool's crypto, which a guest causes, too.
 */
export function processCpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Both threads' view of the shared memory. */
export class WatchdogState {
  readonly memory: SharedArrayBuffer;
  readonly #flags: Int32Array;
  readonly #amounts: Float64Array;

  constructor(memory = new SharedArrayBuffer(FLAG_BYTES + 3 * 8)) {
    this.memory = memory;
    this.#flags = new Int32Array(memory, 0, 2);
    this.#amounts = new Float64Array(memory, FLAG_BYTES, 3);
  }

  get phase(): number {
    return Atomics.load(this.#flags, Flag.phase);
  }

  /** Written before the phase is, so whoever sees the phase sees the amounts. */
  arm(phase: number, run: ArmedRun): void {
    this.#amounts[Amount.deadlineMs] = run.deadlineMs;
    this.#amounts[Amount.cpuLimitMs] = run.cpuLimitMs;
    this.#amounts[Amount.cpuStartMs] = run.cpuStartMs;
    Atomics.store(this.#flags, Flag.phase, phase);
    if (Atomics.load(this.#flags, Flag.asleep) === 1) Atomics.notify(this.#flags, Flag.phase);
  }

  armed(): ArmedRun {
    return {
      deadlineMs: this.#amounts[Amount.deadlineMs] ?? 0,
      cpuLimitMs: this.#amounts[Amount.cpuLimitMs] ?? 0,
      cpuStartMs: this.#amounts[Amount.cpuStartMs] ?? 0,
    };
  }

  /** Moves from one phase to another; false where the other thread was faster. */
  move(from: number, to: number): boolean {
    return Atomics.compareExchange(this.#flags, Flag.phase, from, to) === from;
  }

  /** Waits while the phase stays what it is. `deep`: an `arm` must wake this thread at once. */
  wait(phase: number, ms: number, deep: boolean): void {
    if (deep) Atomics.store(this.#flags, Flag.asleep, 1);
    Atomics.wait(this.#flags, Flag.phase, phase, ms);
    if (deep) Atomics.store(this.#flags, Flag.asleep, 0);
  }
}
