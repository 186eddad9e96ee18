import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import ivm from "isolated-vm";

import { decodeTagged } from "../../protocol/tagged-value.ts";
import { buildGuest, GUEST_FILENAME, readScript } from "../../sandbox-worker/build-guest.ts";
import type { LoadedScript } from "../../sandbox-worker/build-guest.ts";
import { RunCrypto } from "../../sandbox-worker/cage/ops/crypto.ts";
import { PendingOps } from "../../sandbox-worker/cage/ops/pending-ops.ts";
import { randomOps } from "../../sandbox-worker/cage/ops/random.ts";
import { textOps } from "../../sandbox-worker/cage/ops/text.ts";
import { RunTimers } from "../../sandbox-worker/cage/ops/timers.ts";
import { urlOps } from "../../sandbox-worker/cage/ops/url.ts";
import {
  type GuestBoot,
  type GuestFetch,
  type HostOps,
  OP_NAMES,
} from "../../sandbox-worker/guest/host-ops.ts";

/** How a run of the guest runtime ended, as its host ops were told. */
export type GuestEnd =
  | { readonly kind: "value"; readonly encoding: "json" | "tagged"; readonly json: string }
  | {
      readonly kind: "error";
      readonly name: string;
      readonly message: string;
      readonly stack: string;
    }
  | { readonly kind: "overflow" };

export interface GuestRun {
  readonly end: GuestEnd;
  readonly lines: readonly { readonly level: string; readonly text: string }[];
  /** Errors that left the isolate, which only a rejection nobody handled may do. */
  readonly crossed: readonly unknown[];
}

/** A fetch as the host sees it, and the host's answers to it. */
export interface HostFetch {
  readonly id: number;
  readonly head: GuestFetch;
  readonly body: string | null;
  answer(kind: "fetchHead", head: object): void;
  answer(kind: "fetchChunk", text: string | Uint8Array): void;
  answer(kind: "fetchEnd"): void;
  answer(kind: "fetchFailure", failure: string, message: string): void;
}

export interface GuestOptions {
  readonly input?: unknown;
  readonly boot?: Partial<GuestBoot>;
  readonly onFetch?: (fetch: HostFetch) => void;
  readonly onCancel?: (id: number) => void;
  readonly pendingOps?: number;
}

/** Longest that one entry into the isolate may take in a test. Milliseconds. */
const ENTRY_TIMEOUT_MS = 20_000;

type Argument = string | number | boolean | null | ivm.Dereference<object> | ivm.Copy<ArrayBuffer>;

/**
 * The real guest runtime in a real isolate, with the cage's own ops but for `log`, `fetch` and the
 * run's end, which it keeps. Each run has a context of its own. Close it after use.
 */
export class GuestHarness {
  readonly isolate = new ivm.Isolate({ memoryLimit: 128 });
  readonly #core: ivm.Script;
  readonly #library: ivm.Script;

  private constructor(core: LoadedScript, library: LoadedScript) {
    this.#core = this.#compile(core);
    this.#library = this.#compile(library);
  }

  static async open(): Promise<GuestHarness> {
    const folder = await mkdtemp(path.join(tmpdir(), "bulkhead-guest-"));
    try {
      const { core, library } = await buildGuest(folder);
      return new GuestHarness(await readScript(core), await readScript(library));
    } finally {
      await rm(folder, { recursive: true });
    }
  }

  #compile({ code, cache }: LoadedScript): ivm.Script {
    return this.isolate.compileScriptSync(code, {
      filename: GUEST_FILENAME,
      ...(cache === null ? {} : { cachedData: new ivm.ExternalCopy(new Uint8Array(cache).buffer) }),
    });
  }

  close(): void {
    this.isolate.dispose();
  }

  /** Starts a realm and gives it its first run. */
  start(options: GuestOptions = {}): GuestRealm {
    return new GuestRealm(this.isolate, this.#core, this.#library, options);
  }

  /** Runs a module to its end. */
  async run(code: string, options: GuestOptions = {}): Promise<GuestRun> {
    const realm = this.start(options);
    return await realm.run(code);
  }

  /** Runs a module that must give a value, and decodes it. */
  async value(code: string, options: GuestOptions = {}): Promise<unknown> {
    const { end } = await this.run(code, options);
    return valueOf(end);
  }

  /** As `value`, of a module whose default export is a function of this body. */
  async returned(body: string, options: GuestOptions = {}): Promise<unknown> {
    return await this.value(`export default async (input, ctx) => { ${body} };`, options);
  }
}

/** A value as its receiver gets it. */
export function valueOf(end: GuestEnd): unknown {
  if (end.kind === "error")
    throw new Error(`The program failed: ${end.name}: ${end.message}\n${end.stack}`);
  if (end.kind === "overflow") throw new Error("The program's result was too large");
  const json: unknown = JSON.parse(end.json);
  return end.encoding === "json" ? json : decodeTagged(json);
}

/** One context with the guest runtime in it. */
export class GuestRealm {
  readonly context: ivm.Context;
  readonly #isolate: ivm.Isolate;
  readonly #entry: ivm.Reference;
  readonly #library: ivm.Script;
  readonly #options: GuestOptions;
  #lines: { level: string; text: string }[] = [];
  #crossed: unknown[] = [];
  #settled = Promise.withResolvers<GuestEnd>();

  constructor(isolate: ivm.Isolate, core: ivm.Script, library: ivm.Script, options: GuestOptions) {
    this.#isolate = isolate;
    this.#library = library;
    this.#options = options;
    this.context = isolate.createContextSync();
    const ops = this.#ops();
    const start = core.runSync(this.context, { reference: true }) as ivm.Reference;
    this.#entry = start.applySync(
      undefined,
      OP_NAMES.map((name) => new ivm.Callback(ops[name] as (...args: unknown[]) => unknown)),
      { result: { reference: true } },
    ) as ivm.Reference;
    this.boot();
  }

  boot(boot: Partial<GuestBoot> = {}): void {
    this.#lines = [];
    this.#crossed = [];
    this.#settled = Promise.withResolvers<GuestEnd>();
    const whole: GuestBoot = {
      env: {},
      net: [],
      runId: "run_1",
      versions: { bulkhead: "0.1.0", v8: "13.6", typescript: "7.0.2" },
      request: null,
      resultBytes: 1 << 20,
      ...this.#options.boot,
      ...boot,
    };
    this.enter("boot", JSON.stringify(whole));
  }

  /** Evaluates a module without imports or top-level await, and calls what it exports. */
  async run(code: string): Promise<GuestRun> {
    let module: ivm.Module | null = null;
    try {
      module = this.#isolate.compileModuleSync(code, { filename: "file:///main.ts" });
      module.instantiateSync(this.context, () => {
        throw new Error("Cannot import in this harness");
      });
      module.evaluateSync({ timeout: ENTRY_TIMEOUT_MS });
    } catch (error) {
      this.#crossed.push(error);
    }
    return await this.main(module);
  }

  /** Calls what a module that was evaluated exports. */
  async main(module: ivm.Module | null): Promise<GuestRun> {
    const namespace = module?.namespace as ivm.Reference<object> | undefined;
    const { input } = this.#options;
    const inputJson = input === undefined ? null : JSON.stringify(input);
    if (namespace !== undefined) this.enter("main", namespace.derefInto(), inputJson);
    const end = await this.#settled.promise;
    return { end, lines: this.#lines, crossed: this.#crossed };
  }

  enter(...args: readonly Argument[]): void {
    try {
      this.#entry.applySync(undefined, [...args], { timeout: ENTRY_TIMEOUT_MS });
    } catch (error) {
      this.#crossed.push(error);
      const { name, message } = error as Error;
      this.#settled.resolve({ kind: "error", name, message, stack: "crossed" });
    }
  }

  #ops(): HostOps {
    const begun = performance.now();
    const pending = new PendingOps(this.#options.pendingOps ?? 1_000);
    const timers = new RunTimers(pending, (id) => this.enter("timer", id));
    const crypto = new RunCrypto(pending, {
      countPool: () => {},
      crypto: (id, ok, json) => this.enter("crypto", id, ok, json),
    });
    return {
      ...urlOps,
      ...textOps,
      ...randomOps,
      textLabel: (label) => orNull(() => textOps.textLabel(label)),
      textDecode: (...args) => orNull(() => textOps.textDecode(...args)),
      timerStart: (id, ms) => timers.timerStart(id, ms),
      timerCancel: (id) => timers.timerCancel(id),
      cryptoStart: (id, operation, args) => crypto.cryptoStart(id, operation, args),
      clock: () => performance.now() - begun,
      log: (level, text) => void this.#lines.push({ level, text }),
      fetchStart: (id, head, body) => this.#fetch(id, head, body),
      fetchCancel: (id) => this.#options.onCancel?.(id),
      settle: (encoding, json) => this.#settled.resolve({ kind: "value", encoding, json }),
      fail: (name, message, stack) =>
        this.#settled.resolve({ kind: "error", name, message, stack }),
      overflow: () => this.#settled.resolve({ kind: "overflow" }),
      library: () => {
        const made = this.#library.runSync(this.context, { reference: true }) as ivm.Reference;
        return made.derefInto() as unknown as ReturnType<HostOps["library"]>;
      },
    };
  }

  #fetch(id: number, head: string, body: string | null): boolean {
    const { onFetch } = this.#options;
    if (onFetch === undefined) return false;
    const answer = (kind: string, first?: unknown, second?: string): void => {
      switch (kind) {
        case "fetchHead":
          return this.enter(kind, id, JSON.stringify(first));
        case "fetchChunk":
          return this.enter(kind, id, chunkCopy(first as string | Uint8Array));
        case "fetchFailure":
          return this.enter(kind, id, first as string, second ?? "");
        default:
          return this.enter(kind, id);
      }
    };
    // A host answers in a later turn.
    setImmediate(() => onFetch({ id, head: JSON.parse(head) as GuestFetch, body, answer }));
    return true;
  }
}

function chunkCopy(chunk: string | Uint8Array): ivm.Copy<ArrayBuffer> {
  const bytes = typeof chunk === "string" ? new TextEncoder().encode(chunk) : chunk.slice();
  return new ivm.ExternalCopy(bytes.buffer as ArrayBuffer).copyInto({ release: true });
}

function orNull<Value>(make: () => Value): Value | null {
  try {
    return make();
  } catch {
    return null;
  }
}
