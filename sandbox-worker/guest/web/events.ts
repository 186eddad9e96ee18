import { Event } from "./event.ts";
import { toDomText } from "./idl.ts";

export { Event } from "./event.ts";
export { EventTarget } from "./event-target.ts";

type Init = Readonly<Record<string, unknown>> | null | undefined;

/** An event that carries whatever its maker gives it. */
export class CustomEvent extends Event {
  readonly #detail: unknown;

  constructor(type: unknown, init?: Init) {
    super(type, init);
    this.#detail = init?.["detail"] ?? null;
  }
  get detail(): unknown {
    return this.#detail;
  }
  override get [Symbol.toStringTag](): string {
    return "CustomEvent";
  }
}

/** Something thrown that nobody caught. */
export class ErrorEvent extends Event {
  readonly #init: Init;

  constructor(type: unknown, init?: Init) {
    super(type, init);
    this.#init = { ...init };
  }
  get message(): string {
    return toDomText(this.#init?.["message"] ?? "");
  }
  get filename(): string {
    return toDomText(this.#init?.["filename"] ?? "");
  }
  get lineno(): number {
    return Number(this.#init?.["lineno"] ?? 0);
  }
  get colno(): number {
    return Number(this.#init?.["colno"] ?? 0);
  }
  get error(): unknown {
    return this.#init?.["error"] ?? null;
  }
  override get [Symbol.toStringTag](): string {
    return "ErrorEvent";
  }
}

/** A promise rejected, and nobody there to hear it. */
export class PromiseRejectionEvent extends Event {
  readonly #promise: unknown;
  readonly #reason: unknown;

  constructor(type: unknown, init: Readonly<{ promise: unknown; reason?: unknown }>) {
    super(type, init as Init);
    if (typeof init !== "object" || init === null || !("promise" in init)) {
      throw new TypeError("Cannot make a PromiseRejectionEvent: it needs a promise");
    }
    this.#promise = init.promise;
    this.#reason = init.reason;
  }
  get promise(): unknown {
    return this.#promise;
  }
  get reason(): unknown {
    return this.#reason;
  }
  override get [Symbol.toStringTag](): string {
    return "PromiseRejectionEvent";
  }
}

/** A message that came in by a port or a channel of its like. */
export class MessageEvent extends Event {
  readonly #init: Init;

  constructor(type: unknown, init?: Init) {
    super(type, init);
    this.#init = { ...init };
  }
  get data(): unknown {
    return this.#init?.["data"] ?? null;
  }
  get origin(): string {
    return toDomText(this.#init?.["origin"] ?? "");
  }
  get lastEventId(): string {
    return toDomText(this.#init?.["lastEventId"] ?? "");
  }
  get source(): unknown {
    return this.#init?.["source"] ?? null;
  }
  get ports(): readonly unknown[] {
    return Object.freeze(Array.from((this.#init?.["ports"] as unknown[] | undefined) ?? []));
  }
  override get [Symbol.toStringTag](): string {
    return "MessageEvent";
  }
}
