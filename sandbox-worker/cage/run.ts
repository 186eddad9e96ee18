import type { Encoding, RunError, RunWork, Unlinkable } from "../../protocol/sandbox-api.ts";
import type { CageEnd, RunStart } from "../cage-protocol.ts";
import { Up } from "../frames.ts";
import type { GuestBoot } from "../guest/host-ops.ts";
import { fetchArguments, rejectionArguments } from "./entry-arguments.ts";
import { Evaluation } from "./evaluation.ts";
import { linkGraph, type Linked, type ModulesByUrl } from "./link.ts";
import type { ModuleCache } from "./module-cache.ts";
import type { EntryArgument, Program, Realm } from "./realm.ts";
import type { Placement, Realms } from "./realms.ts";
import { mapperOf, placedError, textOfThrown, toRunError } from "./run-error.ts";
import { RunOpsState, type Verdict } from "./run-ops.ts";
import { mapPlaces, mapResultStacks } from "./stack.ts";
import { monotonicMs } from "./watchdog-state.ts";
import type { Watchdog } from "./watchdog.ts";

/** What a run needs of its cage. */
export interface RunHost {
  readonly realms: Realms;
  readonly cache: ModuleCache;
  readonly watchdog: Watchdog;
  readonly versions: GuestBoot["versions"];
  send(kind: number, payload: Uint8Array): void;
}

/** What a run's end leaves to the cage. */
export interface RunLeft {
  readonly realm: Realm;
  /** Whether the run ended by itself and left nothing behind. */
  readonly clean: boolean;
  readonly heldBytes: number;
  /** Whether the process may go on to another run. */
  readonly reusable: boolean;
}

type EndOutcome = Extract<CageEnd, { kind: "result" }>["outcome"];

/** How a run ends: the outcome, and what goes with it. */
interface Ending {
  readonly outcome: EndOutcome;
  readonly value?: { readonly encoding: Encoding; readonly json: string };
  readonly error?: RunError;
}

/** What isolated-vm throws where an entry was over its time. */
const TIMED_OUT = "Script execution timed out.";
/** What isolated-vm throws where we disposed of the isolate under the guest: it was over its time. */
const TAKEN_AWAY = "Isolate was disposed during execution";
/** What V8 throws where a buffer does not fit the isolate's memory. */
const BUFFER_REFUSED = "Array buffer allocation failed";

/**
 * One run, from its order to its end. Everything that a guest does happens inside `#bounded`;
 * between entries only timers, frames and crypto are waited for, no longer than the deadline.
 */
export class Run {
  readonly #host: RunHost;
  readonly #start: RunStart;
  readonly #work: RunWork;
  readonly #onEnd: (left: RunLeft) => void;
  readonly #realm: Realm;
  readonly #ops: RunOpsState;
  readonly #startMs: number;
  readonly #deadlineMs: number;
  readonly #cpuStartMs: number;
  #modules: ModulesByUrl = new Map();
  #evaluation: Evaluation | null = null;
  #wallTimer: NodeJS.Timeout | null = null;
  #started = false;
  #ended = false;
  #peakBytes = 0;

  /** `onEnd` is called once, when the end was sent. */
  constructor(
    host: RunHost,
    start: RunStart,
    work: RunWork,
    placement: Placement,
    onEnd: (left: RunLeft) => void,
  ) {
    this.#host = host;
    this.#start = start;
    this.#work = work;
    this.#onEnd = onEnd;
    const { startMs, cpuStartMs } = host.watchdog.arm(start.caps);
    this.#startMs = startMs;
    this.#deadlineMs = startMs + start.caps.wallMs;
    this.#cpuStartMs = cpuStartMs;
    this.#realm = host.realms.take(placement);
    this.#ops = new RunOpsState(start, startMs, {
      send: (kind, payload) => host.send(kind, payload),
      mapText: (text) => mapPlaces(text, mapperOf(this.#modules)),
      countPool: () => host.watchdog.countPool(),
      timer: (id) => this.#enter("timer", id),
      crypto: (id, ok, json) => this.#enter("crypto", id, ok, json),
      fetch: (delivery) => this.#enter(...fetchArguments(delivery)),
    });
  }

  /** The supervisor's answers to this run's fetches go here. */
  get fetches(): RunOpsState["fetches"] {
    return this.#ops.fetches;
  }

  /** Links, evaluates and calls the work. Returns when it has ended, or waits for something. */
  begin(): void {
    this.#realm.attach(this.#ops.ops, this.#deadlineMs);
    const { program } = this.#realm;
    const linked = program === null ? this.#link() : null;
    if (this.#ended) return;
    this.#modules = program?.modules ?? linked?.modules ?? this.#modules;
    this.#enter("boot", JSON.stringify(this.#boot()));
    if (this.#ended) return;
    this.#started = true;
    this.#host.send(Up.started, new Uint8Array());
    if (program !== null) this.#main(program);
    else if (linked !== null) this.#evaluate(linked);
    if (this.#ended) return;
    const leftMs = Math.max(1, this.#deadlineMs - monotonicMs());
    this.#wallTimer = setTimeout(() => this.#end({ outcome: this.#timeoutOutcome() }), leftMs);
  }

  /** Ends the run as `cancelled`, unless it has ended. */
  cancel(): void {
    this.#end({ outcome: "cancelled" });
  }

  #link(): Linked | null {
    const { isolate } = this.#realm.guest;
    const result = linkGraph(this.#host.cache, this.#realm, this.#work);
    switch (result.kind) {
      case "linked":
        return result.linked;
      case "unlinkable":
        this.#endUnlinkable(result.unlinkable);
        return null;
      case "failed": {
        const { name, message, place, modules } = result;
        const error =
          place === null
            ? toRunError({ name, message, stack: "" }, modules)
            : placedError(name, message, place);
        this.#end({ outcome: isolate.isDisposed ? "memory_limit" : "failed", error });
        return null;
      }
    }
  }

  #boot(): GuestBoot {
    const { env, request } = this.#work;
    const { runId, net, caps } = this.#start;
    return {
      env,
      net,
      runId,
      versions: this.#host.versions,
      request,
      resultBytes: caps.resultBytes,
    };
  }

  #evaluate(linked: Linked): void {
    const evaluation = new Evaluation(this.#realm, linked);
    this.#evaluation = evaluation;
    this.#bounded((timeoutMs) => evaluation.start(timeoutMs));
  }

  #main(program: Program): void {
    this.#evaluation = null;
    this.#realm.program = program;
    this.#enter("main", program.namespace.derefInto(), this.#work.inputJson);
  }

  #enter(...args: readonly EntryArgument[]): void {
    this.#bounded((timeoutMs) => this.#realm.enter(args, timeoutMs));
  }

  /** Runs code of the guest for no longer than the run has left, and draws the consequences. */
  #bounded(work: (timeoutMs: number) => void): void {
    if (this.#ended) return;
    const leftMs = this.#deadlineMs - monotonicMs();
    if (leftMs <= 0) return this.#end({ outcome: this.#timeoutOutcome() });
    try {
      work(Math.ceil(leftMs));
    } catch (thrown) {
      return this.#afterThrow(thrown);
    }
    this.#afterEntry();
  }

  #afterEntry(): void {
    const { verdict } = this.#ops;
    if (verdict !== null) return this.#endAs(verdict);
    if (this.#overCpu()) return this.#end({ outcome: "cpu_timeout" });
    if (this.#evaluation === null) return;
    const program = this.#evaluation.program();
    if (program !== null) this.#main(program);
  }

  /** Something came out of the isolate: its end, its timeout, or a rejection nobody handled. */
  #afterThrow(thrown: unknown): void {
    const text = textOfThrown(thrown);
    if (this.#realm.guest.isolate.isDisposed) {
      const overdue = text.message === TAKEN_AWAY;
      return this.#end({ outcome: overdue ? this.#timeoutOutcome() : "memory_limit" });
    }
    if (text.message === TIMED_OUT && monotonicMs() >= this.#deadlineMs) {
      return this.#end({ outcome: this.#timeoutOutcome() });
    }
    const { verdict } = this.#ops;
    if (verdict !== null) {
      // The run has its result; what else went wrong is said where people look.
      const { name, message, stack } = toRunError(text, this.#modules);
      this.#ops.complain(`Uncaught (in promise) ${stack ?? `${name}: ${message}`}`);
      return this.#endAs(verdict);
    }
    if (this.#evaluation !== null) return this.#endFailed(toRunError(text, this.#modules));
    // Its listeners hear of it; where none prevents it, it fails the run.
    this.#ops.later(() => this.#enter(...rejectionArguments(thrown)));
  }

  #endAs(verdict: Verdict): void {
    switch (verdict.kind) {
      case "value":
        return this.#endOk(verdict.encoding, verdict.json);
      case "error":
        return this.#endFailed(toRunError(verdict.error, this.#modules));
      case "overflow":
        return this.#end({ outcome: "output_limit" });
    }
  }

  #endOk(encoding: Encoding, json: string): void {
    // Plain JSON has no error in it.
    const placed = encoding === "json" ? json : mapResultStacks(json, mapperOf(this.#modules));
    this.#end({ outcome: "ok", value: { encoding, json: placed } });
  }

  #endFailed(error: RunError): void {
    const outcome = error.message === BUFFER_REFUSED ? "memory_limit" : "failed";
    this.#end({ outcome, error });
  }

  #cpuMs(): number {
    return this.#host.watchdog.cpu.ownMs() - this.#cpuStartMs;
  }

  #overCpu(): boolean {
    return this.#cpuMs() >= this.#start.caps.cpuMs;
  }

  #timeoutOutcome(): EndOutcome {
    return this.#overCpu() ? "cpu_timeout" : "wall_timeout";
  }

  #end({ outcome, value, error }: Ending): void {
    this.#finish(outcome === "ok" || outcome === "failed", () => ({
      kind: "result",
      outcome,
      started: this.#started,
      valueJson: value?.json ?? null,
      encoding: value?.encoding ?? null,
      error: error ?? null,
      ...this.#ops.output.end(),
      wallMs: monotonicMs() - this.#startMs,
      cpuMs: this.#cpuMs(),
      memoryPeakBytes: this.#peakBytes,
      reusable: this.#ops.reusable,
    }));
  }

  #endUnlinkable(unlinkable: Unlinkable): void {
    this.#finish(true, () => ({ kind: "unlinkable", unlinkable }));
  }

  #finish(byItself: boolean, makeEnd: () => CageEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    if (this.#wallTimer !== null) clearTimeout(this.#wallTimer);
    const leftPending = this.#ops.pending > 0;
    this.#ops.abort();
    this.#realm.detach();
    const heldBytes = this.#realm.guest.heldBytes();
    this.#peakBytes = Math.max(this.#peakBytes, heldBytes);
    this.#host.watchdog.ending();
    const end = JSON.stringify(makeEnd());
    // Where the watchdog was faster, its word is the outcome, and this process is as good as gone.
    if (!this.#host.watchdog.disarm()) return;
    this.#host.send(Up.end, Buffer.from(end));
    this.#onEnd({
      realm: this.#realm,
      clean: byItself && !leftPending,
      heldBytes,
      reusable: this.#ops.reusable,
    });
  }
}
