import ivm from "isolated-vm";

import { OP_NAMES, type Primitive } from "../guest/host-ops.ts";
import type { GuestIsolate } from "./guest-isolate.ts";
import type { ModulesByUrl } from "./link.ts";
import { createOps, type RunOps } from "./ops/create-ops.ts";
import { monotonicMs } from "./watchdog-state.ts";

/** Globals that let code pass every memory limit, or share memory: never there for a tenant. */
const FORBIDDEN = ["SharedArrayBuffer", "Atomics", "WebAssembly"];

const CHECK = `${JSON.stringify(FORBIDDEN)}.filter((name) => name in globalThis).join(" ")`;

/** Whether a realm of this process was looked at: they are all made alike. */
let checked = false;

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
  #gaveLibrary = false;
  #usedLibrary = false;

  constructor(guest: GuestIsolate, core: ivm.Script, wholeRuntime: boolean) {
    this.guest = guest;
    this.context = guest.isolate.createContextSync();
    const ops = createOps(
      () => this.#runInTime(),
      () => this.#library(),
    );
    const start = core.runSync(this.context, { reference: true }) as ivm.Reference;
    this.#entry = start.applySync(
      undefined,
      OP_NAMES.map((name) => new ivm.Callback(ops[name])),
      { result: { reference: true } },
    ) as ivm.Reference;
    start.release();
    if (!checked) this.#check();
    if (wholeRuntime) this.#entry.applySync(undefined, ["library"]);
  }

  #check(): void {
    const left: unknown = this.context.evalSync(CHECK);
    if (left !== "") throw new TypeError(`Cannot use the guest runtime: it left ${String(left)}`);
    checked = true;
  }

  /** Whether a run here used the runtime's library. */
  get usedLibrary(): boolean {
    return this.#usedLibrary;
  }

  #library(): ivm.Dereference<object> | null {
    this.#usedLibrary = this.#run !== null;
    if (this.#gaveLibrary) return null;
    const library = this.guest.libraryIn(this.context);
    this.#gaveLibrary = true;
    return library.derefInto({ release: true });
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
