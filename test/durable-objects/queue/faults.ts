/** Answers that are lost on their way back: the call is made, and its caller hears nothing of it. */
class Faults {
  readonly #dropped = new Map<string, number>();

  /** Loses the next `times` answers of a method. */
  drop(method: string, times = 1): void {
    this.#dropped.set(method, times);
  }

  clear(): void {
    this.#dropped.clear();
  }

  /** @throws {Error} Where the answer is to be lost. */
  pass<T>(method: string, answer: T): T {
    const left = this.#dropped.get(method) ?? 0;
    if (left === 0) return answer;
    this.#dropped.set(method, left - 1);
    throw new Error(`The answer of ${method} is lost`);
  }
}

export const faults = new Faults();

/** What Job objects were told, in order, by their names. */
interface JobCall {
  readonly job: string;
  readonly method: string;
  readonly argument: unknown;
}

class JobLog {
  readonly calls: JobCall[] = [];
  /** The epoch that a Job has not settled, by its name. */
  readonly held = new Map<string, number>();

  of(jobId: string, method?: string): readonly JobCall[] {
    return this.calls.filter(
      (call) => call.job.endsWith(jobId) && (method === undefined || call.method === method),
    );
  }

  clear(): void {
    this.calls.length = 0;
    this.held.clear();
  }
}

export const jobLog = new JobLog();
