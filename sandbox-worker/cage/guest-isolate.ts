import ivm from "isolated-vm";

import { Realm } from "./realm.ts";

/** The guest runtime's bundle: one script, compiled once for all isolates of a cage. */
export class GuestRuntime {
  readonly #source: string;
  #cachedData: ivm.ExternalCopy<ArrayBuffer> | undefined;

  /** `codeCache` was made of this very source by this very V8, by us; V8 checks that it fits. */
  constructor(source: string, codeCache: Uint8Array<ArrayBuffer> | null) {
    this.#source = source;
    if (codeCache === null) return;
    this.#cachedData = new ivm.ExternalCopy(new Uint8Array(codeCache).buffer);
  }

  /** Compiles the bundle in an isolate; from V8's own cache from the second isolate on. */
  compileIn(isolate: ivm.Isolate): ivm.Script {
    // Frames of this file are left out of every stack.
    const filename = "bulkhead:runtime";
    if (this.#cachedData !== undefined) {
      return isolate.compileScriptSync(this.#source, { filename, cachedData: this.#cachedData });
    }
    const script: ivm.Script & { cachedData?: ivm.ExternalCopy<ArrayBuffer> } =
      isolate.compileScriptSync(this.#source, { filename, produceCachedData: true });
    this.#cachedData = script.cachedData;
    return script;
  }
}

/** One V8 isolate with the guest runtime compiled in it, and realms made in it one by one. */
export class GuestIsolate {
  readonly isolate: ivm.Isolate;
  readonly memoryMb: number;
  readonly #script: ivm.Script;

  /** `outOfMemory` is called where V8 has lost the isolate, and the process with it. */
  constructor(runtime: GuestRuntime, memoryMb: number, outOfMemory: () => void) {
    this.memoryMb = memoryMb;
    this.isolate = new ivm.Isolate({ memoryLimit: memoryMb, onCatastrophicError: outOfMemory });
    this.#script = runtime.compileIn(this.isolate);
  }

  /** A context with the guest runtime started in it, and no tenant code yet. */
  createRealm(): Realm {
    return new Realm(this, this.#script);
  }

  /** What the isolate holds now: V8's heap, and buffers outside it. 0 once it is gone. */
  heldBytes(): number {
    if (this.isolate.isDisposed) return 0;
    try {
      const heap = this.isolate.getHeapStatisticsSync();
      return heap.used_heap_size + heap.externally_allocated_size + heap.malloced_memory;
    } catch {
      // A rejection that nobody handled comes out of any call; the run has ended all the same.
      return 0;
    }
  }

  dispose(): void {
    if (!this.isolate.isDisposed) this.isolate.dispose();
  }
}
