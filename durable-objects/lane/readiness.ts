import { ContainerReadiness } from "../../protocol/container-api.ts";
import type { ExecutorAddress } from "../job-contract.ts";

/** Executors measure slowly, and are asked no oftener than this. */
const ASK_AGAIN_MS = 10_000;

const ANSWER_TIMEOUT_MS = 5_000;

/** What an executor says of how much it can take. */
export interface Recommendation {
  readonly recommendedConcurrency: number;
  readonly canIncreaseConcurrency: boolean;
}

/** The executors' own view of their load, as last heard. In memory, and only ever advice. */
export class Readiness {
  readonly #executors: readonly ExecutorAddress[];
  readonly #heard = new Map<string, Recommendation>();
  #askedAt = -Infinity;

  constructor(executors: readonly ExecutorAddress[]) {
    this.#executors = executors;
  }

  of(name: string): Recommendation | undefined {
    return this.#heard.get(name);
  }

  isDue(now: number): boolean {
    return this.#executors.length > 0 && now - this.#askedAt >= ASK_AGAIN_MS;
  }

  /** Asks every executor. What does not answer has no view. */
  async refresh(now: number): Promise<void> {
    this.#askedAt = now;
    await Promise.all(
      this.#executors.map(async (executor) => {
        const heard = await ask(executor);
        if (heard === undefined) this.#heard.delete(executor.name);
        else this.#heard.set(executor.name, heard);
      }),
    );
  }
}

/** Readiness is no secret, so it is asked for unsigned. */
async function ask({ url }: ExecutorAddress): Promise<Recommendation | undefined> {
  const late = new AbortController();
  // Cleared when the answer is there: a timer that is left keeps the object in memory.
  const timer = setTimeout(() => late.abort(), ANSWER_TIMEOUT_MS);
  try {
    const response = await fetch(`${url}/readyz`, { signal: late.signal });
    return ContainerReadiness.safeParse(await response.json()).data;
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}
