import {
  REFUSAL_HEADER,
  Refusal,
  RUN_CONTENT_TYPE,
  type RunLine,
  type RunOrder,
  type RunWork,
} from "../../protocol/sandbox-api.ts";
import type { Config } from "../config.ts";
import type { OrderSent, RunAddress, StreamCut } from "./container.ts";
import { withDeadline } from "./deadline.ts";
import { ExecutorSigner } from "./executor-signer.ts";
import { totalBoundMs } from "./isolate.ts";
import { retryAfterOf } from "./retry-after.ts";
import { readRunLines } from "./run-lines.ts";
import { SignedCalls } from "./signed-calls.ts";
import { Watchdog } from "./watchdog.ts";

const RUNS = "/v1/runs";

/** Longer than the ladder takes to kill a cage. */
const END_TIMEOUT_MS = 5_000;

export type IsolateStart =
  /** The lines must be read to their end or returned early, which ends the run. */
  | { readonly kind: "taken"; readonly lines: AsyncGenerator<RunLine, StreamCut> }
  /** The run was begun by an earlier call, whose connection is gone, and the run with it. */
  | { readonly kind: "taken_before" }
  | Exclude<OrderSent, { kind: "taken" | "refused" }>;

/**
 * `ended`: it had begun, and nothing of it lives. `unknown`: this life of the executor never took
 * it, and no earlier one's cages live. `unreachable`: it cannot be asked.
 */
export type IsolateEnd = "ended" | "unknown" | "unreachable";

/** Jobs' runs at sandbox-workers: told once, on the connection that started them. */
export class IsolateJobs {
  readonly #calls: SignedCalls;
  readonly #silenceMs: number;

  constructor(config: Pick<Config, "executorSecrets" | "executorTimeoutMs">) {
    this.#calls = new SignedCalls(new ExecutorSigner(config.executorSecrets));
    this.#silenceMs = config.executorTimeoutMs;
  }

  /**
   * Starts a run at the executor that was granted. The same id never starts twice.
   *
   * Its answer's head comes before any of its code runs, and a connection that breaks ends it: so
   * a run that nobody took has not begun. Once `stop` aborts, the run ends.
   */
  async start(
    run: RunAddress,
    order: RunOrder,
    work: RunWork,
    stop: AbortSignal,
  ): Promise<IsolateStart> {
    const totalMs = totalBoundMs(order.caps.wallMs);
    const watchdog = new Watchdog({ silenceMs: this.#silenceMs, totalMs });
    const answer = await this.#calls.send({
      method: "PUT",
      url: run.url,
      target: `${RUNS}/${run.runId}`,
      body: new TextEncoder().encode(`${JSON.stringify(order)}\n${JSON.stringify(work)}`),
      contentType: RUN_CONTENT_TYPE,
      signal: AbortSignal.any([watchdog.signal, stop]),
    });
    if (answer.kind === "answered" && answer.response.status === 200) {
      return { kind: "taken", lines: linesOf(answer.response, watchdog) };
    }
    watchdog.stop();
    if (answer.kind === "unreachable") return { kind: "unreachable", mayHaveArrived: false };
    if (answer.kind === "unsigned") {
      return { kind: "unusable", reason: "it does not take this gateway's signature" };
    }
    const { response } = answer;
    await response.body?.cancel();
    if (response.status === 409) return { kind: "taken_before" };
    const refusal = Refusal.safeParse(response.headers.get(REFUSAL_HEADER)).data;
    return refusal === undefined
      ? { kind: "unusable", reason: `it answers with status ${response.status}` }
      : { kind: "busy", refusal, retryAfterMs: retryAfterOf(response) };
  }

  /** Ends a run, and says what became of it. */
  async end({ url, runId }: RunAddress): Promise<IsolateEnd> {
    return withDeadline(END_TIMEOUT_MS, async (signal) => {
      const target = `${RUNS}/${runId}`;
      const answer = await this.#calls.send({ method: "DELETE", url, target, signal });
      if (answer.kind !== "answered") return "unreachable";
      await answer.response.body?.cancel();
      switch (answer.response.status) {
        case 204:
          return "ended";
        case 404:
          return "unknown";
        default:
          return "unreachable";
      }
    });
  }
}

async function* linesOf(
  response: Response,
  watchdog: Watchdog,
): AsyncGenerator<RunLine, StreamCut> {
  try {
    if (response.body === null) return { kind: "cut" };
    for await (const line of readRunLines(response.body, () => watchdog.heard())) {
      yield line;
      if (!("event" in line)) return { kind: "cut" };
    }
    return { kind: "cut" };
  } catch (error) {
    if (error instanceof SyntaxError) return { kind: "unusable", reason: error.message };
    return watchdog.passed === undefined
      ? { kind: "cut" }
      : { kind: "silent", limitMs: watchdog.passed };
  } finally {
    watchdog.stop();
  }
}
