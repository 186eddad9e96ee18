import type { Outcome } from "../../../protocol/outcome.ts";
import type { ExecutorResult, RunOrder, Unlinkable } from "../../../protocol/sandbox-api.ts";
import type { CageEnd, RunStart } from "../../cage-protocol.ts";
import { Down, Up } from "../../frames.ts";
import type { Frame } from "../../frames.ts";
import { readCageEnd } from "./cage-end.ts";
import type { CageDeath, CageProcess } from "./cage-process.ts";
import { FetchRelay } from "./fetch-relay.ts";
import { KeptOutput } from "./kept-output.ts";
import { isSilentRetry, saysOutOfMemory, verdictOfDeath } from "./verdict.ts";
import type { KillReason } from "./verdict.ts";

/** The ladder's last rung: so long after its time is up a run's cage is killed from outside. */
const DEADLINE_GRACE_MS = 500;
/** So long a cage has to answer a cancellation by itself. */
const CANCEL_GRACE_MS = 100;

/** A run as it came: what the supervisor reads, and what it does not. */
export interface AcceptedRun {
  readonly order: RunOrder;
  readonly work: Buffer;
}

/** Who hears of a run while it goes on. */
export interface RunListener {
  /** The first statement is about to run. */
  started(queueMs: number): void;
  /** One console line as JSON text, for a run that streams. Without newlines. */
  console(json: Buffer): void;
}

/** How a run on one cage ended. */
export type CageRunEnd =
  | { readonly kind: "result"; readonly result: ExecutorResult }
  | { readonly kind: "unlinkable"; readonly unlinkable: Unlinkable }
  /** The cage was lost under it before the work had begun: it may go to another. */
  | { readonly kind: "retry" };

export interface CageRunOptions {
  readonly run: AcceptedRun;
  readonly attempt: number;
  readonly queueMs: number;
  readonly allowPrivateHosts: readonly string[];
  readonly listener: RunListener;
  /** Called once. Where the cage died or was killed, only when it is dead. */
  readonly ended: (end: CageRunEnd, reusable: boolean) => void;
}

/** What the cage says of a run's end, or what is said for it when it is dead. */
type EndFacts = Omit<Extract<CageEnd, { kind: "result" }>, "kind" | "outcome" | "reusable"> & {
  readonly outcome: Outcome;
};

const NEWLINE = 0x0a;
const NEWLINE_BYTES = Buffer.of(NEWLINE);

/** One run in one cage, from its frame down to its end frame or the cage's death. */
export class CageRun {
  readonly #cage: CageProcess;
  readonly #options: CageRunOptions;
  readonly #fetches: FetchRelay;
  readonly #output: KeptOutput;
  readonly #stopWatch: () => void;
  readonly #startedAtMs = performance.now();
  #timer: NodeJS.Timeout;
  #killedBy: KillReason | null = null;
  #cancelled = false;
  #started = false;
  #ended = false;

  /** Sends the run. */
  constructor(cage: CageProcess, options: CageRunOptions) {
    const { order, work } = options.run;
    const { runId, isolation, caps, net } = order;
    this.#cage = cage;
    this.#options = options;
    this.#fetches = new FetchRelay(cage, order, options.allowPrivateHosts);
    this.#output = new KeptOutput(caps.outputBytes);
    // What it says is wanted at once from every run: of one that is killed, nothing else is left.
    const start: RunStart = { runId, isolation, caps, net, stream: true };
    this.#timer = setTimeout(() => {
      this.kill("deadline");
    }, caps.wallMs + DEADLINE_GRACE_MS);
    this.#stopWatch = cage.memory.watch(cage.pid ?? 0, () => {
      cage.kill();
    });
    cage.send(Down.run, Buffer.from(JSON.stringify(start)), NEWLINE_BYTES, work);
  }

  /** Ends the run as `cancelled`, by the cage itself or by its death. */
  cancel(): void {
    if (this.#ended || this.#cancelled) return;
    this.#cancelled = true;
    this.#cage.cancelRun();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#cage.kill();
    }, CANCEL_GRACE_MS);
  }

  kill(reason: KillReason): void {
    if (this.#ended) return;
    this.#killedBy ??= reason;
    this.#cage.kill();
  }

  frame({ kind, payload }: Frame): void {
    if (this.#ended) return;
    switch (kind) {
      case Up.started:
        if (this.#started) return;
        this.#started = true;
        this.#options.listener.started(this.#options.queueMs);
        return;
      case Up.console:
        // A line of the answer is one line: a cage that sends two in one is none of ours.
        if (payload.includes(NEWLINE)) this.kill("broken");
        else if (this.#output.push(payload) && this.#options.run.order.stream) {
          this.#options.listener.console(payload);
        }
        return;
      case Up.fetchStart:
        if (!this.#fetches.start(payload)) this.kill("broken");
        return;
      case Up.fetchCancel:
        this.#fetches.cancel(payload);
        return;
      case Up.end:
        this.#takeEnd(payload);
        return;
      default:
        this.kill("broken");
    }
  }

  /** The cage is dead; where the run had not ended, this is its end. */
  died(death: CageDeath): void {
    if (this.#ended) return;
    const verdict = verdictOfDeath({
      ...death,
      cancelled: this.#cancelled,
      heapExhausted: saysOutOfMemory(death.stderr),
      killedBy: this.#killedBy,
    });
    const retry = isSilentRetry({
      outcome: verdict.outcome,
      started: this.#started,
      attempt: this.#options.attempt,
      killedBy: this.#killedBy,
    });
    if (retry) {
      this.#finish({ kind: "retry" }, false);
      return;
    }
    const wallMs = performance.now() - this.#startedAtMs;
    const result = this.#result({
      ...verdict,
      ...this.#output.text(),
      started: this.#started,
      valueJson: null,
      encoding: null,
      wallMs,
      // A cage is killed for using its time, and can no longer say how much it was.
      cpuMs: verdict.outcome === "cpu_timeout" ? this.#options.run.order.caps.cpuMs : 0,
      memoryPeakBytes: this.#cage.memory.peakBytes(),
    });
    this.#finish({ kind: "result", result }, false);
  }

  #takeEnd(payload: Buffer): void {
    const end = readCageEnd(payload);
    if (end === undefined) {
      this.kill("broken");
    } else if (end.kind === "unlinkable") {
      this.#finish({ kind: "unlinkable", unlinkable: end.unlinkable }, true);
    } else {
      this.#finish({ kind: "result", result: this.#result(end) }, end.reusable);
    }
  }

  #result(end: EndFacts): ExecutorResult {
    const { order } = this.#options.run;
    return {
      runId: order.runId,
      outcome: end.outcome,
      certainty: "certain",
      started: end.started,
      valueJson: end.valueJson,
      encoding: end.encoding,
      error: end.error,
      stdout: end.stdout,
      stderr: end.stderr,
      console: [...end.console],
      truncated: end.truncated,
      usage: {
        queueMs: toMicroseconds(this.#options.queueMs),
        wallMs: toMicroseconds(end.wallMs),
        cpuMs: toMicroseconds(end.cpuMs),
        memoryPeakBytes: end.memoryPeakBytes,
        fetches: this.#fetches.started,
      },
    };
  }

  #finish(end: CageRunEnd, reusable: boolean): void {
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#stopWatch();
    this.#fetches.close();
    this.#options.ended(end, reusable);
  }
}

/** Milliseconds as far as a clock can tell them apart: the rest is the arithmetic's, not the run's. */
const toMicroseconds = (ms: number): number => Math.round(ms * 1000) / 1000;
