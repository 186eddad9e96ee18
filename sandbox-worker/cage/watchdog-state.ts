/**
 * The memory that a cage's main thread and its watchdog share.
 *
 * The phase says whose turn it is: 0 while no run is under way, a run's own odd number while one
 * is, -1 once the watchdog has decided to kill. Only a compare-and-swap leaves a run's number, so
 * a run either ends or is killed, never both.
 */
export const PHASE_IDLE = 0;
export const PHASE_KILLING = -1;

const Flag = { phase: 0, asleep: 1, poolCounts: 2 } as const;
const Amount = { deadlineMs: 0, cpuEndMs: 1, residentMaxBytes: 2 } as const;
const FLAG_BYTES = 16;

export interface ArmedRun {
  /** On `monotonicMs`' clock. */
  readonly deadlineMs: number;
  /** On the `CpuClock`. */
  readonly cpuEndMs: number;
  /** Of the whole process: what it had when the run began, and what the run may add. */
  readonly residentMaxBytes: number;
}

/** Milliseconds of a clock that both threads read alike and nobody sets. */
export const monotonicMs = (): number => Number(process.hrtime.bigint()) / 1e6;

/** Both threads' view of the shared memory. */
export class WatchdogState {
  readonly memory: SharedArrayBuffer;
  readonly #flags: Int32Array;
  readonly #amounts: Float64Array;

  constructor(memory = new SharedArrayBuffer(FLAG_BYTES + 3 * 8)) {
    this.memory = memory;
    this.#flags = new Int32Array(memory, 0, 3);
    this.#amounts = new Float64Array(memory, FLAG_BYTES, 3);
  }

  get phase(): number {
    return Atomics.load(this.#flags, Flag.phase);
  }

  /** Written before the phase is, so whoever sees the phase sees the amounts. */
  arm(phase: number, run: ArmedRun): void {
    this.#amounts[Amount.deadlineMs] = run.deadlineMs;
    this.#amounts[Amount.cpuEndMs] = run.cpuEndMs;
    this.#amounts[Amount.residentMaxBytes] = run.residentMaxBytes;
    Atomics.store(this.#flags, Flag.phase, phase);
    if (Atomics.load(this.#flags, Flag.asleep) === 1) Atomics.notify(this.#flags, Flag.phase);
  }

  setDeadline(deadlineMs: number): void {
    this.#amounts[Amount.deadlineMs] = deadlineMs;
  }

  armed(): ArmedRun {
    return {
      deadlineMs: this.#amounts[Amount.deadlineMs] ?? 0,
      cpuEndMs: this.#amounts[Amount.cpuEndMs] ?? 0,
      residentMaxBytes: this.#amounts[Amount.residentMaxBytes] ?? 0,
    };
  }

  /** Whether crypto was used, and with it threads whose time counts. Never unset. */
  get poolCounts(): boolean {
    return Atomics.load(this.#flags, Flag.poolCounts) === 1;
  }

  countPool(): void {
    Atomics.store(this.#flags, Flag.poolCounts, 1);
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
