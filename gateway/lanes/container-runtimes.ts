import { ContainerRuntimes } from "../../protocol/container-api.ts";

/** Longest wait for an executor's runtimes, and how long they are believed. */
const TIMEOUT_MS = 2_000;
const KEPT_MS = 10_000;

type Runtimes = ContainerRuntimes["runtimes"];

/** What languages the container-executors have, as the first of them that answers tells. */
export class ContainerRuntimesBook {
  readonly #urls: readonly string[];
  #known: { readonly runtimes: Runtimes; readonly until: number } | undefined;

  constructor(urls: readonly string[]) {
    this.#urls = urls;
  }

  /** Undefined where no executor answers; none where there is no container lane. */
  async runtimes(now: number): Promise<Runtimes | undefined> {
    if (this.#urls.length === 0) return [];
    if (this.#known !== undefined && now < this.#known.until) return this.#known.runtimes;
    for (const url of this.#urls) {
      const runtimes = await ask(url);
      if (runtimes === undefined) continue;
      this.#known = { runtimes, until: now + KEPT_MS };
      return runtimes;
    }
    return undefined;
  }
}

/** Runtimes are no secret, so they are asked for unsigned. */
async function ask(url: string): Promise<Runtimes | undefined> {
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const response = await fetch(`${url}/v1/runtimes`, { signal });
    return ContainerRuntimes.safeParse(await response.json()).data?.runtimes;
  } catch {
    return undefined;
  }
}
