import { registerCloneForm } from "./clone-forms.ts";
import { EventTarget, replaceHandler } from "./event-target.ts";
import { type Event, MessageEvent } from "./events.ts";
import { showAs } from "./show-as.ts";
import { structuredClone } from "./structured-clone.ts";
import { setTimeout } from "./timers.ts";

type Handler = ((event: Event) => unknown) | null;

let isMaking = false;
let access: { make(): MessagePort; join(one: MessagePort, other: MessagePort): void };

/** One end of a channel. What is posted arrives in a later turn, in order. */
export class MessagePort extends EventTarget {
  #other: MessagePort | null = null;
  #isStarted = false;
  #waiting: unknown[] = [];
  #onmessage: Handler = null;
  onmessageerror: Handler = null;

  constructor() {
    if (!isMaking) throw new TypeError("Illegal constructor");
    super();
  }

  static {
    access = {
      make() {
        isMaking = true;
        try {
          return new MessagePort();
        } finally {
          isMaking = false;
        }
      },
      join(one, other) {
        one.#other = other;
        other.#other = one;
      },
    };
    registerCloneForm((value) => (#other in value ? "transferable" : null));
  }

  postMessage(message: unknown, options?: unknown): void {
    const transfer = Array.isArray(options)
      ? (options as unknown[])
      : ((options as { transfer?: unknown[] } | undefined)?.transfer ?? []);
    const data = structuredClone(message, { transfer });
    const other = this.#other;
    if (other === null) return;
    other.#waiting.push(data);
    if (other.#isStarted) other.#deliverLater();
  }
  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.#deliverLater();
  }
  close(): void {
    const other = this.#other;
    this.#other = null;
    if (other !== null) other.#other = null;
  }
  get onmessage(): Handler {
    return this.#onmessage;
  }
  set onmessage(handler: unknown) {
    this.#onmessage = replaceHandler(this, "message", this.#onmessage, handler);
    this.start();
  }

  #deliverLater(): void {
    if (this.#waiting.length > 0) setTimeout(() => this.#deliver());
  }
  #deliver(): void {
    const [data, ...rest] = this.#waiting;
    if (this.#waiting.length === 0) return;
    this.#waiting = rest;
    const event = new MessageEvent("message", { data });
    this.dispatchEvent(event);
    if (this.#waiting.length > 0) setTimeout(() => this.#deliver());
  }
  override get [Symbol.toStringTag](): string {
    return "MessagePort";
  }
}

/** Two ports joined. */
export class MessageChannel {
  readonly #port1 = access.make();
  readonly #port2 = access.make();

  constructor() {
    access.join(this.#port1, this.#port2);
  }
  get port1(): MessagePort {
    return this.#port1;
  }
  get port2(): MessagePort {
    return this.#port2;
  }
  get [Symbol.toStringTag](): string {
    return "MessageChannel";
  }
}

showAs(MessagePort, "MessagePort", () => ({}));
