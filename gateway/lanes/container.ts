import {
  CONTAINER_RUNS,
  ContainerEvent,
  type ContainerOrder,
  OrderRefusal,
  RunStatus,
} from "../../protocol/container-api.ts";
import { REFUSAL_HEADER, Refusal } from "../../protocol/sandbox-api.ts";
import type { Config } from "../config.ts";
import { withDeadline } from "./deadline.ts";
import { ExecutorSigner } from "./executor-signer.ts";
import { retryAfterOf } from "./retry-after.ts";
import { isValueText } from "./run-lines.ts";
import { type CallAnswer, SignedCalls } from "./signed-calls.ts";
import { readTextLines } from "./text-lines.ts";
import { Watchdog } from "./watchdog.ts";

/** An executor answers an order once it is in its journal; it may queue behind others' cold starts. Milliseconds. */
const ORDER_TIMEOUT_MS = 30_000;

/** Renewals and acknowledgements touch a journal, nothing else; milliseconds. */
const NOTE_TIMEOUT_MS = 10_000;

/** A verified kill waits for the engine; milliseconds. */
const KILL_TIMEOUT_MS = 60_000;

/** A file of the largest size that is kept, on a slow link; milliseconds. */
const ARTIFACT_TIMEOUT_MS = 300_000;

/** An event stream is opened anew after this long: no platform holds one for ever. Milliseconds. */
const STREAM_MAX_MS = 9 * 60_000;

/** A run at an executor. */
export interface RunAddress {
  readonly url: string;
  readonly runId: string;
}

/** The executor's answer to something other than what was meant; `unknown`: it knows no such run. */
export type NoAnswer =
  | { readonly kind: "unknown" }
  | { readonly kind: "unreachable" }
  | { readonly kind: "unusable"; readonly reason: string };

export type OrderSent =
  | { readonly kind: "taken" }
  | { readonly kind: "busy"; readonly refusal: Refusal; readonly retryAfterMs: number }
  | { readonly kind: "refused"; readonly refusal: OrderRefusal }
  | { readonly kind: "unreachable"; readonly mayHaveArrived: boolean }
  | { readonly kind: "unusable"; readonly reason: string };

/** How an event stream ended, if not by what it says. */
export type StreamCut =
  | { readonly kind: "cut" }
  | { readonly kind: "silent"; readonly limitMs: number }
  | NoAnswer;

/** The container lane's calls to its executors, each with a bound of its own. Keeps nothing of a run. */
export class ContainerLane {
  readonly #calls: SignedCalls;
  readonly #silenceMs: number;

  constructor(config: Pick<Config, "executorSecrets" | "executorTimeoutMs">) {
    this.#calls = new SignedCalls(new ExecutorSigner(config.executorSecrets));
    this.#silenceMs = config.executorTimeoutMs;
  }

  /** Orders a run. Safe to repeat: the same id never starts twice. */
  order(run: RunAddress, order: ContainerOrder): Promise<OrderSent> {
    const body = new TextEncoder().encode(JSON.stringify(order));
    const contentType = "application/json";
    const timeoutMs = Math.min(ORDER_TIMEOUT_MS, this.#silenceMs);
    return withDeadline(timeoutMs, async (signal) => {
      const answer = await this.#send("PUT", run, "", signal, { body, contentType });
      if (answer.kind === "unreachable") return answer;
      return answer.kind === "unsigned" ? UNSIGNED : orderSent(answer.response);
    });
  }

  /**
   * A run's events after one, live, until its `end`, and then why there are no more. Read on, or
   * return it early: it holds a connection and a timer.
   */
  async *events(
    run: RunAddress,
    after: number,
    stop: AbortSignal,
  ): AsyncGenerator<ContainerEvent, StreamCut> {
    const bounds = { silenceMs: this.#silenceMs, totalMs: STREAM_MAX_MS };
    const watchdog = new Watchdog(bounds);
    const signal = AbortSignal.any([watchdog.signal, stop]);
    const cut = (otherwise: StreamCut): StreamCut =>
      watchdog.passed === this.#silenceMs
        ? { kind: "silent", limitMs: this.#silenceMs }
        : otherwise;
    try {
      const target = `${targetOf(run)}/events?after=${after}`;
      const answer = await this.#calls.send({ method: "GET", url: run.url, target, signal });
      if (answer.kind === "unreachable") return cut({ kind: "unreachable" });
      const failed = await failureOf(answer);
      if (failed !== undefined) return failed;
      const body = answer.kind === "answered" ? answer.response.body : null;
      if (body === null) return { kind: "cut" };
      for await (const line of readTextLines(body, () => watchdog.heard())) {
        const event = readEvent(line);
        if (event === undefined) {
          return { kind: "unusable", reason: "it tells events that are not of the protocol" };
        }
        yield event;
        if (event.type === "end") return { kind: "cut" };
      }
      return { kind: "cut" };
    } catch (error) {
      if (error instanceof SyntaxError) return { kind: "unusable", reason: error.message };
      return cut({ kind: "cut" });
    } finally {
      watchdog.stop();
    }
  }

  /** The run may go on for another lease. */
  renew(run: RunAddress): Promise<{ readonly kind: "done" } | NoAnswer> {
    return this.#note(run, "/renew");
  }

  /** Frees the run's record and files. Safe to repeat: `unknown` where that was done. */
  ack(run: RunAddress): Promise<{ readonly kind: "done" } | NoAnswer> {
    return this.#note(run, "/ack");
  }

  /** Kills a run and waits for the proof. Safe to repeat. */
  kill(
    run: RunAddress,
  ): Promise<{ readonly kind: "ended"; readonly killMs: number | null } | NoAnswer> {
    return withDeadline(KILL_TIMEOUT_MS, async (signal) => {
      const answer = await this.#send("DELETE", run, "", signal);
      const failed = await failureOf(answer);
      if (failed !== undefined) return failed;
      const status = answer.kind === "answered" ? await jsonOf(answer.response) : undefined;
      const told = RunStatus.safeParse(status).data;
      if (told?.state !== "ended") return unusable(200);
      return { kind: "ended", killMs: told.killMs };
    });
  }

  /** Hands over a file that the run left; its body is good until `use` is done. */
  artifact<T>(
    run: RunAddress,
    path: string,
    use: (body: ReadableStream<Uint8Array>) => Promise<T>,
  ): Promise<T | NoAnswer> {
    const encoded = path.split("/").map(encodeURIComponent).join("/");
    return withDeadline(ARTIFACT_TIMEOUT_MS, async (signal) => {
      const answer = await this.#send("GET", run, `/artifacts/${encoded}`, signal);
      const failed = await failureOf(answer);
      if (failed !== undefined) return failed;
      const body = answer.kind === "answered" ? answer.response.body : null;
      return use(body ?? new Blob([]).stream());
    });
  }

  #note(run: RunAddress, path: "/renew" | "/ack"): Promise<{ readonly kind: "done" } | NoAnswer> {
    return withDeadline(NOTE_TIMEOUT_MS, async (signal) => {
      const answer = await this.#send("POST", run, path, signal);
      const failed = await failureOf(answer);
      if (failed !== undefined) return failed;
      if (answer.kind === "answered") await answer.response.body?.cancel();
      return { kind: "done" };
    });
  }

  #send(
    method: string,
    run: RunAddress,
    path: string,
    signal: AbortSignal,
    content: { readonly body?: Uint8Array; readonly contentType?: string } = {},
  ): Promise<CallAnswer> {
    const target = targetOf(run) + path;
    return this.#calls.send({ method, url: run.url, target, signal, ...content });
  }
}

async function orderSent(response: Response): Promise<OrderSent> {
  const { status } = response;
  if (status === 422) {
    const refusal = OrderRefusal.safeParse(await jsonOf(response)).data;
    return refusal === undefined ? unusable(status) : { kind: "refused", refusal };
  }
  await response.body?.cancel();
  if (status === 201 || status === 200) return { kind: "taken" };
  const refusal = Refusal.safeParse(response.headers.get(REFUSAL_HEADER)).data;
  if (refusal !== undefined) {
    return { kind: "busy", refusal, retryAfterMs: retryAfterOf(response) };
  }
  // A fault of the server's own may have come after the order was noted.
  return status >= 500 ? { kind: "unreachable", mayHaveArrived: true } : unusable(status);
}

const targetOf = ({ runId }: RunAddress): string => `${CONTAINER_RUNS}/${runId}`;

const UNSIGNED = {
  kind: "unusable",
  reason: "it does not take this gateway's signature",
} as const;

const unusable = (status: number): Extract<NoAnswer, { kind: "unusable" }> => ({
  kind: "unusable",
  reason: `it answers with status ${status}`,
});

/** What is wrong with an answer that should be a success, its body let go; undefined where nothing is. */
async function failureOf(answer: CallAnswer): Promise<NoAnswer | undefined> {
  if (answer.kind === "unsigned") return UNSIGNED;
  if (answer.kind === "unreachable") return { kind: "unreachable" };
  const { response } = answer;
  if (response.ok) return undefined;
  await response.body?.cancel();
  if (response.status === 404) return { kind: "unknown" };
  return response.status >= 500 ? { kind: "unreachable" } : unusable(response.status);
}

/** An event, or undefined where the line is none, or would break out of the answer it is put into. */
function readEvent(line: string): ContainerEvent | undefined {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    return undefined;
  }
  const event = ContainerEvent.safeParse(json).data;
  if (event?.type === "end" && !isValueText(event.result.valueJson)) return undefined;
  return event;
}

async function jsonOf(response: Response): Promise<unknown> {
  try {
    return await response.json();
  } catch {
    return undefined;
  }
}
