import { HealthReport } from "../../protocol/container-api.ts";
import type { ExecutorHealth } from "../../protocol/executor-health.ts";
import type { Config } from "../config.ts";
import { withDeadline } from "./deadline.ts";
import { ExecutorSigner } from "./executor-signer.ts";
import { SignedCalls } from "./signed-calls.ts";

const TIMEOUT_MS = 2_000;

/** How the executors are, asked at the moment. For operators: never on the way of a run. */
export class ExecutorHealthBook {
  readonly #executors: readonly {
    readonly name: string;
    readonly lane: "isolate" | "container";
    readonly url: string;
  }[];
  readonly #calls: SignedCalls;

  constructor(config: Pick<Config, "sandboxUrls" | "containerUrls" | "executorSecrets">) {
    const named = (kind: string, lane: "isolate" | "container", urls: readonly string[]) =>
      urls.map((url, index) => ({ name: `${kind}-${index + 1}`, lane, url }));
    this.#executors = [
      ...named("sandbox", "isolate", config.sandboxUrls),
      ...named("container", "container", config.containerUrls),
    ];
    this.#calls = new SignedCalls(new ExecutorSigner(config.executorSecrets));
  }

  /** Every executor as it says it is; one that does not answer is not ready. */
  all(): Promise<readonly ExecutorHealth[]> {
    return Promise.all(
      this.#executors.map(async ({ name, lane, url }) => ({
        name,
        lane,
        ...(await readinessOf(url)),
        containers: null,
      })),
    );
  }

  /** One executor, and for a container-executor what its containers use; undefined where there is none of the name. */
  async one(name: string): Promise<ExecutorHealth | undefined> {
    const executor = this.#executors.find((known) => known.name === name);
    if (executor === undefined) return undefined;
    const { lane, url } = executor;
    const [readiness, containers] = await Promise.all([
      readinessOf(url),
      lane === "container" ? this.#report(url) : null,
    ]);
    return { name, lane, ...readiness, containers };
  }

  #report(url: string): Promise<HealthReport | null> {
    return withDeadline(TIMEOUT_MS, async (signal) => {
      const answer = await this.#calls.send({ method: "GET", url, target: "/v1/health", signal });
      if (answer.kind !== "answered") return null;
      try {
        return HealthReport.safeParse(await answer.response.json()).data ?? null;
      } catch {
        return null;
      }
    });
  }
}

type Readiness = Pick<ExecutorHealth, "ready" | "reason" | "readiness">;

/** What an executor says of itself is no secret, so it is asked for unsigned. */
async function readinessOf(url: string): Promise<Readiness> {
  return withDeadline(TIMEOUT_MS, async (signal) => {
    try {
      const response = await fetch(`${url}/readyz`, { signal });
      const readiness: unknown = await response.json();
      if (typeof readiness !== "object" || readiness === null) return UNREADABLE;
      const { ready, reason } = readiness as { ready?: unknown; reason?: unknown };
      return {
        ready: ready === true,
        reason: typeof reason === "string" ? reason : null,
        readiness: { ...readiness },
      };
    } catch {
      return { ready: false, reason: "it does not answer", readiness: null };
    }
  });
}

const UNREADABLE: Readiness = {
  ready: false,
  reason: "it answers what nobody can read",
  readiness: null,
};
