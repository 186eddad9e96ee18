import { ops } from "../ops.ts";
import { DOMException } from "./dom-exception.ts";

interface EventInit {
  readonly bubbles?: unknown;
  readonly cancelable?: unknown;
  readonly composed?: unknown;
}

let access: {
  dispatch(event: Event, target: object, call: () => void): boolean;
  isStoppedNow(event: Event): boolean;
};

/** What happened. Its state while it is dispatched belongs to `dispatchOn`. */
export class Event {
  readonly #type: string;
  readonly #bubbles: boolean;
  readonly #cancelable: boolean;
  readonly #composed: boolean;
  readonly #timeStamp: number;
  #target: object | null = null;
  #isDispatching = false;
  #isStopped = false;
  #isStoppedNow = false;
  #isCanceled = false;

  constructor(type: unknown, init?: EventInit | null) {
    if (arguments.length === 0) throw new TypeError("Cannot make an Event: it needs a type");
    this.#type = String(type);
    this.#bubbles = Boolean(init?.bubbles);
    this.#cancelable = Boolean(init?.cancelable);
    this.#composed = Boolean(init?.composed);
    this.#timeStamp = ops.clock();
  }

  static {
    access = {
      dispatch(event, target, call) {
        if (event.#isDispatching) {
          throw new DOMException(
            "Cannot dispatch an Event: it is being dispatched",
            "InvalidStateError",
          );
        }
        event.#isDispatching = true;
        event.#target = target;
        try {
          if (!event.#isStopped) call();
        } finally {
          event.#isDispatching = false;
          event.#isStopped = false;
          event.#isStoppedNow = false;
        }
        return !event.#isCanceled;
      },
      isStoppedNow: (event) => event.#isStoppedNow,
    };
  }

  get type(): string {
    return this.#type;
  }
  get bubbles(): boolean {
    return this.#bubbles;
  }
  get cancelable(): boolean {
    return this.#cancelable;
  }
  get composed(): boolean {
    return this.#composed;
  }
  get timeStamp(): number {
    return this.#timeStamp;
  }
  get isTrusted(): boolean {
    return false;
  }
  get target(): object | null {
    return this.#target;
  }
  get srcElement(): object | null {
    return this.#target;
  }
  get currentTarget(): object | null {
    return this.#isDispatching ? this.#target : null;
  }
  get eventPhase(): number {
    return this.#isDispatching ? 2 : 0;
  }
  get defaultPrevented(): boolean {
    return this.#isCanceled;
  }
  get returnValue(): boolean {
    return !this.#isCanceled;
  }
  get cancelBubble(): boolean {
    return this.#isStopped;
  }
  set cancelBubble(stop: unknown) {
    if (stop) this.#isStopped = true;
  }

  composedPath(): object[] {
    return this.#isDispatching && this.#target !== null ? [this.#target] : [];
  }
  preventDefault(): void {
    if (this.#cancelable) this.#isCanceled = true;
  }
  stopPropagation(): void {
    this.#isStopped = true;
  }
  stopImmediatePropagation(): void {
    this.#isStopped = true;
    this.#isStoppedNow = true;
  }

  get [Symbol.toStringTag](): string {
    return "Event";
  }
}

for (const [phase, value] of Object.entries({
  NONE: 0,
  CAPTURING_PHASE: 1,
  AT_TARGET: 2,
  BUBBLING_PHASE: 3,
})) {
  for (const owner of [Event, Event.prototype]) {
    Object.defineProperty(owner, phase, { value, enumerable: true });
  }
}

/** Calls the listeners by `call`, with the event's state as it must be meanwhile. */
export function dispatchOn(event: Event, target: object, call: () => void): boolean {
  if (!(event instanceof Event)) {
    throw new TypeError("Cannot dispatch: the argument is not an Event");
  }
  return access.dispatch(event, target, call);
}

/** Whether a listener asked that no other one be called. */
export const isStoppedNow = (event: Event): boolean => access.isStoppedNow(event);
