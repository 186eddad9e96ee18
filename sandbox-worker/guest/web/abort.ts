import { registerResultForm } from "../result/forms.ts";
import { DOMException } from "./dom-exception.ts";
import { EventTarget, replaceHandler } from "./event-target.ts";
import { Event } from "./event.ts";
import { showAs } from "./show-as.ts";
import { startBackgroundTimer } from "./timers.ts";

let access: {
  make(): AbortSignal;
  abort(signal: AbortSignal, reason: unknown): void;
  follow(signal: AbortSignal, sources: Iterable<AbortSignal>): void;
  onAbort(signal: AbortSignal, run: () => void): () => void;
};
let isMaking = false;

/** Tells that what somebody waits for is not wanted any more. */
export class AbortSignal extends EventTarget {
  #reason: unknown = undefined;
  #isAborted = false;
  /** What the runtime does on abort, before listeners are told. */
  readonly #algorithms = new Set<() => void>();
  #onabort: ((event: Event) => unknown) | null = null;

  constructor() {
    if (!isMaking) throw new TypeError("Illegal constructor");
    super();
  }

  static {
    access = {
      make() {
        isMaking = true;
        try {
          return new AbortSignal();
        } finally {
          isMaking = false;
        }
      },
      abort(signal, reason) {
        if (signal.#isAborted) return;
        signal.#isAborted = true;
        signal.#reason =
          reason === undefined
            ? new DOMException("This operation was aborted", "AbortError")
            : reason;
        const algorithms = [...signal.#algorithms];
        signal.#algorithms.clear();
        for (const run of algorithms) run();
        signal.dispatchEvent(new Event("abort"));
      },
      follow(signal, sources) {
        for (const source of sources) {
          if (!(#isAborted in Object(source))) {
            throw new TypeError("Cannot combine signals: each must be an AbortSignal");
          }
          if (source.#isAborted) {
            access.abort(signal, source.#reason);
            return;
          }
          source.#algorithms.add(() => access.abort(signal, source.#reason));
        }
      },
      onAbort(signal, run) {
        signal.#algorithms.add(run);
        return () => signal.#algorithms.delete(run);
      },
    };
    registerResultForm((value) =>
      #isAborted in value ? { value: { aborted: value.#isAborted } } : null,
    );
  }

  get aborted(): boolean {
    return this.#isAborted;
  }
  get reason(): unknown {
    return this.#reason;
  }
  throwIfAborted(): void {
    if (this.#isAborted) throw this.#reason;
  }
  get onabort(): ((event: Event) => unknown) | null {
    return this.#onabort;
  }
  set onabort(handler: unknown) {
    this.#onabort = replaceHandler(this, "abort", this.#onabort, handler);
  }

  static abort(reason?: unknown): AbortSignal {
    const signal = access.make();
    access.abort(signal, reason);
    return signal;
  }
  static timeout(ms: unknown): AbortSignal {
    const signal = access.make();
    const after = Number(ms);
    if (!(after >= 0))
      throw new TypeError("Cannot make a timeout signal: its time must be at least 0");
    startBackgroundTimer(
      () =>
        access.abort(
          signal,
          new DOMException("The operation was aborted due to timeout", "TimeoutError"),
        ),
      after,
    );
    return signal;
  }
  static any(signals: Iterable<AbortSignal>): AbortSignal {
    const signal = access.make();
    access.follow(signal, signals);
    return signal;
  }
  override get [Symbol.toStringTag](): string {
    return "AbortSignal";
  }
}

/** Who may abort its signal. */
export class AbortController {
  readonly #signal = access.make();

  get signal(): AbortSignal {
    return this.#signal;
  }
  abort(reason?: unknown): void {
    access.abort(this.#signal, reason);
  }
  get [Symbol.toStringTag](): string {
    return "AbortController";
  }
}

/** Runs `run` when `signal` is aborted, before its listeners; the answer takes that back. */
export function onAbort(signal: AbortSignal, run: () => void): () => void {
  return access.onAbort(signal, run);
}

showAs(AbortSignal, "AbortSignal", (signal) => ({ aborted: signal.aborted }));
showAs(AbortController, "AbortController", (controller) => ({ signal: controller.signal }));
