import { fail, ok, type Result } from "../../protocol/result.ts";
import {
  REFUSAL_HEADER,
  Refusal,
  RUN_CONTENT_TYPE,
  SandboxRuntimes,
} from "../../protocol/sandbox-api.ts";
import type {
  ExecutorResult,
  RunLine,
  RunOrder,
  RunWork,
  Unlinkable,
} from "../../protocol/sandbox-api.ts";
import { BOOT_HEADER, SIGNATURE_HEADER } from "../../protocol/signature.ts";
import type { Config } from "../config.ts";
import { avoid, type Executor, ExecutorPool } from "./executor-pool.ts";
import { ExecutorSigner } from "./executor-signer.ts";
import { RETRY_AFTER_MS, retryAfterOf } from "./retry-after.ts";
import { readRunLines, readWholeRun } from "./run-lines.ts";
import { Watchdog } from "./watchdog.ts";

/** Waiting for a cage and its start never count as the run's own time; this is how long they may take. */
const START_ALLOWANCE_MS = 20_000;

/** What a run's bound has beyond its own time and its start, for the ladder that ends it. */
const END_ALLOWANCE_MS = 10_000;

/** Longest time that an isolate run may take in all, seen from the gateway. */
export const totalBoundMs = (wallMs: number): number =>
  wallMs + START_ALLOWANCE_MS + END_ALLOWANCE_MS;

/** What an executor says of a run, until one of the last three. */
export type RunStep =
  | Extract<RunLine, { event: unknown }>
  | { readonly end: ExecutorResult }
  | { readonly unlinkable: Unlinkable }
  /** The executor vanished: how the run ended is not known. */
  | { readonly lost: { readonly passedMs: number | undefined } };

/** A run that an executor took. Reading it to its last step, or cancelling it, frees everything. */
export interface StartedRun {
  readonly executor: string;
  next(): Promise<RunStep>;
  /** Ends the run; the executor sees its connection close. Safe to repeat. */
  cancel(): void;
}

/** Longest wait for an executor's runtimes, and how long they are believed. */
const RUNTIMES_TIMEOUT_MS = 2_000;
const RUNTIMES_KEPT_MS = 10_000;

/** What became of one attempt at one executor. `lost`: the connection, before its answer began. */
type Attempt =
  | { readonly kind: "taken"; readonly response: Response }
  | { readonly kind: "refused"; readonly refusal: Refusal; readonly retryAfterMs: number }
  | { readonly kind: "boot"; readonly bootId: string }
  | { readonly kind: "lost" }
  | { readonly kind: "unusable"; readonly reason: string };

/** The isolate lane: runs go to sandbox-workers. One per gateway isolate. */
export class IsolateLane {
  readonly #pool: ExecutorPool;
  readonly #signer: ExecutorSigner;
  readonly #silenceMs: number;
  #runtimes: { readonly told: SandboxRuntimes; readonly until: number } | undefined;

  constructor(config: Config) {
    this.#pool = new ExecutorPool("sandbox", config.sandboxUrls);
    this.#signer = new ExecutorSigner(config.executorSecrets);
    this.#silenceMs = config.executorTimeoutMs;
  }

  /**
   * Hands a run to the least busy executor that takes it.
   *
   * An executor answers 200 before any of the run's code starts, so what fails before has started
   * nothing and may go to another. Once `clientLeft` aborts, the run ends and nobody else is asked.
   */
  async start(
    order: RunOrder,
    work: RunWork,
    clientLeft: AbortSignal,
  ): Promise<Result<StartedRun>> {
    const body = encoder.encode(`${JSON.stringify(order)}\n${JSON.stringify(work)}`);
    const totalMs = totalBoundMs(order.caps.wallMs);
    const watchdog = new Watchdog({ silenceMs: this.#silenceMs, totalMs });
    const signal = AbortSignal.any([watchdog.signal, clientLeft]);
    let failed: Attempt | undefined;
    for (const executor of this.#candidates()) {
      executor.inFlight++;
      const attempt = await this.#attempt(executor, body, signal);
      if (attempt.kind === "taken") {
        const lines = linesOf(attempt.response, order.stream, watchdog);
        return ok(startedRun(executor, lines, watchdog));
      }
      executor.inFlight--;
      if (clientLeft.aborted) {
        failed = { kind: "unusable", reason: "its client has left" };
        break;
      }
      if (watchdog.passed !== undefined) {
        const limitMs = watchdog.passed;
        return fail({ code: "executor_timeout", lane: "isolate", limitMs });
      }
      avoid(executor, Date.now());
      // Full says more than gone: what is full will have room.
      if (failed === undefined || attempt.kind === "refused") failed = attempt;
      if (attempt.kind !== "lost" && this.#pool.size === 1) break;
    }
    watchdog.stop();
    return fail(failureOf(failed));
  }

  /** Languages and versions as one executor tells them, and for a while as it told them. */
  async runtimes(): Promise<Result<SandboxRuntimes>> {
    const now = Date.now();
    if (this.#runtimes !== undefined && now < this.#runtimes.until) return ok(this.#runtimes.told);
    for (const executor of this.#pool.inOrder(now)) {
      const told = await askRuntimes(executor);
      if (told === undefined) continue;
      this.#runtimes = { told, until: now + RUNTIMES_KEPT_MS };
      return ok(told);
    }
    return fail(failureOf(undefined));
  }

  /** An executor that restarted leaves connections that fail once, so the only one is tried twice. */
  #candidates(): readonly Executor[] {
    const executors = this.#pool.inOrder(Date.now());
    return executors.length === 1 ? [...executors, ...executors] : executors;
  }

  async #attempt(executor: Executor, body: Uint8Array, signal: AbortSignal): Promise<Attempt> {
    let attempt = await this.#send(executor, body, signal);
    if (attempt.kind === "boot") {
      executor.bootId = attempt.bootId;
      attempt = await this.#send(executor, body, signal);
    }
    if (attempt.kind !== "boot") return attempt;
    return { kind: "unusable", reason: "it does not take this gateway's signature" };
  }

  async #send(executor: Executor, body: Uint8Array, signal: AbortSignal): Promise<Attempt> {
    const { url, bootId } = executor;
    const signature = await this.#signer.sign({ method: "POST", target: RUNS, body, bootId });
    const headers = { "Content-Type": RUN_CONTENT_TYPE, [SIGNATURE_HEADER]: signature };
    let response: Response;
    try {
      response = await fetch(url + RUNS, { method: "POST", headers, body, signal });
    } catch {
      return { kind: "lost" };
    }
    if (response.status === 200) return { kind: "taken", response };
    await response.body?.cancel();
    const refusal = Refusal.safeParse(response.headers.get(REFUSAL_HEADER)).data;
    if (refusal !== undefined) {
      return { kind: "refused", refusal, retryAfterMs: retryAfterOf(response) };
    }
    const newBootId = response.headers.get(BOOT_HEADER);
    if (response.status === 401 && newBootId !== null && newBootId !== bootId) {
      return { kind: "boot", bootId: newBootId };
    }
    return { kind: "unusable", reason: `it answers with status ${response.status}` };
  }
}

const RUNS = "/v1/runs";
const encoder = new TextEncoder();

/** Runtimes are no secret, so they are asked for unsigned. */
async function askRuntimes({ url }: Executor): Promise<SandboxRuntimes | undefined> {
  try {
    const signal = AbortSignal.timeout(RUNTIMES_TIMEOUT_MS);
    const response = await fetch(`${url}/v1/runtimes`, { signal });
    return SandboxRuntimes.safeParse(await response.json()).data;
  } catch {
    return undefined;
  }
}

function linesOf(
  response: Response,
  isFollowed: boolean,
  watchdog: Watchdog,
): AsyncGenerator<RunLine> {
  if (!isFollowed || response.body === null) return readWholeRun(response);
  return readRunLines(response.body, () => watchdog.heard());
}

function startedRun(
  executor: Executor,
  lines: AsyncGenerator<RunLine>,
  watchdog: Watchdog,
): StartedRun {
  let isOver = false;
  const over = (): void => {
    if (isOver) return;
    isOver = true;
    executor.inFlight--;
    watchdog.stop();
  };
  const next = async (): Promise<RunStep> => {
    try {
      const { done, value } = await lines.next();
      if (done === true) {
        over();
        return { lost: { passedMs: watchdog.passed } };
      }
      if ("event" in value) return value;
      over();
      return value;
    } catch (error) {
      over();
      if (error instanceof SyntaxError) console.error({ executor: executor.name, error });
      return { lost: { passedMs: watchdog.passed } };
    }
  };
  const cancel = (): void => {
    if (isOver) return;
    watchdog.abort();
    over();
  };
  return { executor: executor.name, next, cancel };
}

function failureOf(attempt: Attempt | undefined): Parameters<typeof fail>[0] {
  const lane = "isolate";
  if (attempt?.kind === "refused" && attempt.refusal !== "not-ready") {
    const code = attempt.refusal === "full" ? "lane_full" : "draining";
    return { code, lane, retryAfterMs: attempt.retryAfterMs };
  }
  const reason = reasonOf(attempt);
  return { code: "executor_unavailable", lane, reason, retryAfterMs: RETRY_AFTER_MS };
}

function reasonOf(attempt: Attempt | undefined): string {
  if (attempt?.kind === "lost") return "none answers";
  return attempt?.kind === "unusable" ? attempt.reason : "none is ready";
}
