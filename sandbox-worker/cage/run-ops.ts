import type { Encoding } from "../../protocol/sandbox-api.ts";
import type { RunStart } from "../cage-protocol.ts";
import { Up } from "../frames.ts";
import { consoleLine, RunConsole } from "./ops/console.ts";
import type { RunOps } from "./ops/create-ops.ts";
import { RunCrypto } from "./ops/crypto.ts";
import { RunFetches, type FetchDelivery } from "./ops/fetches.ts";
import { PendingOps } from "./ops/pending-ops.ts";
import { RunTimers } from "./ops/timers.ts";
import { Output } from "./output.ts";
import type { ErrorText } from "./run-error.ts";
import { monotonicMs } from "./watchdog-state.ts";

/** What the guest said its run's result is. */
export type Verdict =
  | { readonly kind: "value"; readonly encoding: Encoding; readonly json: string }
  | { readonly kind: "error"; readonly error: ErrorText }
  | { readonly kind: "overflow" };

/** Where a run's ops lead: frames up, and answers down into the guest. */
export interface RunOpsSink {
  send(kind: number, payload: Uint8Array): void;
  /** Places the stacks in what the guest says in its sources as sent. */
  mapText(text: string): string;
  /** Threads of the pool work for this run. */
  countPool(): void;
  timer(id: number): void;
  crypto(id: number, ok: boolean, json: string): void;
  fetch(delivery: FetchDelivery): void;
}

/** One run's host work, and what it has said so far. */
export class RunOpsState {
  readonly output: Output;
  readonly fetches: RunFetches;
  readonly ops: RunOps;
  readonly #pending: PendingOps;
  readonly #timers: RunTimers;
  readonly #crypto: RunCrypto;
  readonly #clock: () => number;
  readonly #later = new Set<NodeJS.Immediate>();
  #verdict: Verdict | null = null;

  constructor({ caps, stream }: RunStart, startedAtMs: number, sink: RunOpsSink) {
    this.#clock = () => monotonicMs() - startedAtMs;
    this.output = new Output(caps.outputBytes);
    this.#pending = new PendingOps(caps.pendingOps);
    this.#timers = new RunTimers(this.#pending, (id) => sink.timer(id));
    this.#crypto = new RunCrypto(this.#pending, sink);
    this.fetches = new RunFetches(
      caps,
      this.#pending,
      (kind, payload) => sink.send(kind, payload),
      (delivery) => sink.fetch(delivery),
    );
    const console = new RunConsole(
      this.output,
      caps.outputBytes,
      this.#clock,
      (text) => sink.mapText(text),
      stream ? (line) => sink.send(Up.console, Buffer.from(JSON.stringify(line))) : null,
    );
    this.ops = {
      clock: this.#clock,
      log: (level, text) => console.log(level, text),
      timerStart: (id, ms) => this.#timers.timerStart(id, ms),
      timerCancel: (id) => this.#timers.timerCancel(id),
      fetchStart: (id, head, body) => this.fetches.fetchStart(id, head, body),
      fetchCancel: (id) => this.fetches.fetchCancel(id),
      cryptoStart: (id, operation, args) => this.#crypto.cryptoStart(id, operation, args),
      settle: (encoding, json) => {
        // What the guest's runtime measured in characters is measured again in bytes.
        const over = Buffer.byteLength(json) > caps.resultBytes;
        this.#verdict ??= over ? { kind: "overflow" } : { kind: "value", encoding, json };
      },
      fail: (name, message, stack) => {
        this.#verdict ??= { kind: "error", error: { name, message, stack } };
      },
      overflow: () => {
        this.#verdict ??= { kind: "overflow" };
      },
    };
  }

  get verdict(): Verdict | null {
    return this.#verdict;
  }

  /** Host work under way. */
  get pending(): number {
    return this.#pending.count;
  }

  /** False while crypto of this run holds a thread of the process, which nothing can stop. */
  get reusable(): boolean {
    return this.#crypto.underWay === 0;
  }

  /** A line of the host's own on the run's standard error. */
  complain(text: string): void {
    this.output.push(consoleLine("error", text, this.#clock()));
  }

  /** Does `work` when the event loop turns, unless the run has ended by then. */
  later(work: () => void): void {
    const immediate = setImmediate(() => {
      this.#later.delete(immediate);
      work();
    });
    this.#later.add(immediate);
  }

  /** Stops everything under way; nothing more is delivered. */
  abort(): void {
    this.#timers.abort();
    this.fetches.abort();
    this.#crypto.abort();
    for (const immediate of this.#later) clearImmediate(immediate);
  }
}
