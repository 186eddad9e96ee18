import { reportUncaught } from "../uncaught.ts";
import { dispatchOn, type Event, isStoppedNow } from "./event.ts";

type Listener = ((event: Event) => unknown) | { handleEvent(event: Event): unknown };

interface Registration {
  readonly type: string;
  readonly listener: Listener;
  readonly capture: boolean;
  readonly once: boolean;
  readonly passive: boolean;
  removed: boolean;
}

interface ListenerOptions {
  readonly capture?: unknown;
  readonly once?: unknown;
  readonly passive?: unknown;
  readonly signal?: {
    readonly aborted: boolean;
    addEventListener: EventTarget["addEventListener"];
  };
}

/** A target of events, without a tree: there is one phase, and nothing bubbles further. */
export class EventTarget {
  readonly #registrations: Registration[] = [];

  addEventListener(
    type: unknown,
    listener: Listener | null,
    options?: ListenerOptions | boolean,
  ): void {
    if (listener === null || listener === undefined) return;
    if (typeof listener !== "function" && typeof listener !== "object") {
      throw new TypeError("Cannot add an event listener: it is neither a function nor an object");
    }
    const settings = typeof options === "object" && options !== null ? options : null;
    const capture = Boolean(settings === null ? options : settings.capture);
    const name = String(type);
    if (settings?.signal?.aborted === true) return;
    if (this.#find(name, listener, capture) !== undefined) return;
    this.#registrations.push({
      type: name,
      listener,
      capture,
      once: Boolean(settings?.once),
      passive: Boolean(settings?.passive),
      removed: false,
    });
    settings?.signal?.addEventListener(
      "abort",
      () => this.removeEventListener(name, listener, capture),
      { once: true },
    );
  }

  removeEventListener(
    type: unknown,
    listener: Listener | null,
    options?: ListenerOptions | boolean,
  ): void {
    if (listener === null || listener === undefined) return;
    const capture = Boolean(
      typeof options === "object" && options !== null ? options.capture : options,
    );
    const found = this.#find(String(type), listener, capture);
    if (found !== undefined) this.#remove(found);
  }

  dispatchEvent(event: Event): boolean {
    return dispatchOn(event, this, () => this.#call(event));
  }

  #call(event: Event): void {
    // A copy: what is added while listeners run waits for the next event.
    for (const registration of this.#registrations.filter(({ type }) => type === event.type)) {
      if (registration.removed) continue;
      if (registration.once) this.#remove(registration);
      const { listener } = registration;
      try {
        if (typeof listener === "function") listener.call(event.currentTarget as never, event);
        else listener.handleEvent(event);
      } catch (thrown) {
        reportUncaught(thrown);
      }
      if (isStoppedNow(event)) break;
    }
  }

  #find(type: string, listener: Listener, capture: boolean): Registration | undefined {
    return this.#registrations.find(
      (one) => one.type === type && one.listener === listener && one.capture === capture,
    );
  }

  #remove(registration: Registration): void {
    registration.removed = true;
    this.#registrations.splice(this.#registrations.indexOf(registration), 1);
  }

  get [Symbol.toStringTag](): string {
    return "EventTarget";
  }
}

type Handler = (event: Event) => unknown;

/** What the setter of an `on…` property does: the new handler listens in place of the old one. */
export function replaceHandler(
  target: EventTarget,
  type: string,
  before: Handler | null,
  given: unknown,
): Handler | null {
  const handler = typeof given === "function" ? (given as Handler) : null;
  target.removeEventListener(type, before);
  target.addEventListener(type, handler);
  return handler;
}
