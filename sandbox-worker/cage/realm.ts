import ivm from "isolated-vm";

import type { Primitive } from "../guest/host-ops.ts";
import type { GuestIsolate } from "./guest-isolate.ts";
import type { ModulesByUrl } from "./link.ts";
import { createOps, type RunOps } from "./ops/create-ops.ts";
import { monotonicMs } from "./watchdog-state.ts";

/** Puts the ops on the global object, where the bundle takes them away again. */
const installSource = (names: readonly string[]): string =>
  names.map((name, index) => `globalThis.__op_${name} = $${index};`).join("\n");

/** Globals that let code pass every memory limit, or share memory: never there for a tenant. */
const FORBIDDEN = ["SharedArrayBuffer", "Atomics", "WebAssembly", "__bulkhead_entry"];

const CHECK = `${JSON.stringify(FORBIDDEN)}.filter((name) => name in globalThis)
  .concat(Object.getOwnPropertyNames(globalThis).filter((name) => name.startsWith("__op_")))
  .join(" ")`;

/** An evaluated program: where its exports are, and where its positions come from. */
export interface Program {
  readonly namespace: ivm.Reference<object>;
  readonly modules: ModulesByUrl;
}

/** A handle that keeps the context alive until it is released. */
interface Releasable {
  release(): void;
}

/** Arguments that a guest entry may be called with; nothing else crosses. */
export type EntryArgument = Primitive | ivm.Copy<ArrayBuffer> | ivm.Dereference<object>;

/**
 * A context with the guest runtime in it, and the one way into it. Serves one run at a time; the
 * ops of any other run that its code kept are refused.
 */
export class Realm {
  readonly guest: GuestIsolate;
  readonly context: ivm.Context;
  /** The program evaluated here, once one was; a warm realm's next run starts from it. */
  program: Program | null = null;
  readonly #entry: ivm.Reference;
  readonly #owned: Releasable[] = [];
  #run: RunOps | null = null;
  #deadlineMs = 0;

  constructor(guest: GuestIsolate, script: ivm.Script) {
    this.guest = guest;
    this.context = guest.isolate.createContextSync();
    const ops = createOps(() => this.#runInTime());
    this.context.evalClosureSync(
      installSource(Object.keys(ops)),
      Object.values(ops).map((op) => new ivm.Callback(op)),
    );
    script.runSync(this.context);
    const { global } = this.context;
    this.#entry = global.getSync("__bulkhead_entry", { reference: true });
    global.deleteSync("__bulkhead_entry");
    const left: unknown = this.context.evalSync(CHECK);
    if (left !== "") throw new TypeError(`Cannot use the guest runtime: it left ${String(left)}`);
  }

  /** From now on ops act for this run, until its time is up. */
  attach(run: RunOps, deadlineMs: number): void {
    this.#run = run;
    this.#deadlineMs = deadlineMs;
  }

  /** From now on ops are refused. */
  detach(): void {
    this.#run = null;
  }

  /**
   * The run that an op acts for. isolated-vm's own limit stands still while the host works for a
   * guest, so a guest that asks for much would outlive it: over its time, its isolate is taken away.
   */
  #runInTime(): RunOps | null {
    if (this.#run !== null && monotonicMs() > this.#deadlineMs) {
      this.#run = null;
      this.guest.dispose();
    }
    return this.#run;
  }

  /**
   * Calls into the guest runtime, for at most `timeoutMs`.
   *
   * @throws What isolated-vm throws: a timeout, the isolate's end, a rejection nobody handled.
   */
  enter(args: readonly EntryArgument[], timeoutMs: number): void {
    this.#entry.applySync(undefined, [...args], { timeout: timeoutMs });
  }

  /** Takes a handle into this context's isolate, to be released with the context. */
  own(handle: Releasable): void {
    this.#owned.push(handle);
  }

  /** Lets the context go, and with it all that the run left; the isolate stays. */
  release(): void {
    this.#run = null;
    if (this.guest.isolate.isDisposed) return;
    for (const handle of this.#owned) handle.release();
    this.#entry.release();
    this.context.release();
  }
}
