import ivm from "isolated-vm";

import { Realm } from "./realm.ts";

/** Frames of files of this name are left out of every stack. */
const FILENAME = "bulkhead:runtime";

/** One of the guest runtime's scripts: compiled once, and then from V8's own cache in every isolate. */
export class RuntimeScript {
  readonly #source: string;
  #cachedData: ivm.ExternalCopy<ArrayBuffer> | undefined;

  /** `codeCache` was made of this very source by this very V8, by us; one that V8 rejects is made anew. */
  constructor(source: string, codeCache: Uint8Array<ArrayBuffer> | null) {
    this.#source = source;
    if (codeCache === null) return;
    this.#cachedData = new ivm.ExternalCopy(new Uint8Array(codeCache).buffer);
  }

  compileIn(isolate: ivm.Isolate): ivm.Script {
    if (this.#cachedData !== undefined) {
      const script: ivm.Script & { cachedDataRejected?: boolean } = isolate.compileScriptSync(
        this.#source,
        { filename: FILENAME, cachedData: this.#cachedData },
      );
      if (script.cachedDataRejected !== true) return script;
      this.#cachedData.release();
    }
    const script: ivm.Script & { cachedData?: ivm.ExternalCopy<ArrayBuffer> } =
      isolate.compileScriptSync(this.#source, { filename: FILENAME, produceCachedData: true });
    this.#cachedData = script.cachedData;
    return script;
  }
}

/** The guest runtime: what every realm starts with, and what only some programs ask for. */
export interface GuestRuntime {
  readonly core: RuntimeScript;
  readonly library: RuntimeScript;
}

/** One V8 isolate with the guest runtime compiled in it, and realms made in it one by one. */
export class GuestIsolate {
  readonly isolate: ivm.Isolate;
  readonly memoryMb: number;
  readonly #runtime: GuestRuntime;
  readonly #core: ivm.Script;
  #library: ivm.Script | null = null;

  /** `outOfMemory` is called where V8 has lost the isolate, and the process with it. */
  constructor(runtime: GuestRuntime, memoryMb: number, outOfMemory: () => void) {
    this.memoryMb = memoryMb;
    this.#runtime = runtime;
    this.isolate = new ivm.Isolate({ memoryLimit: memoryMb, onCatastrophicError: outOfMemory });
    this.#core = runtime.core.compileIn(this.isolate);
  }

  /**
   * A context with the guest runtime started in it, and no tenant code yet. `wholeRuntime`: with
   * the library, too, for programs that are known to use it.
   */
  createRealm(wholeRuntime: boolean): Realm {
    return new Realm(this, this.#core, wholeRuntime);
  }

  /** The library's script in a realm of this isolate, as the function that it is. */
  libraryIn(context: ivm.Context): ivm.Reference<object> {
    this.#library ??= this.#runtime.library.compileIn(this.isolate);
    return this.#library.runSync(context, { reference: true }) as ivm.Reference<object>;
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
