import type { Primitive } from "./host-ops.ts";
import { failCurrent } from "./outcome.ts";
import { defineProperty, jsonParse, NativeError } from "./primordials.ts";

let offer: ((thrown: unknown) => boolean) | null = null;

/** Says who is asked first about errors that nobody caught: true where a listener took one. */
export function offerUncaughtTo(listener: (thrown: unknown) => boolean): void {
  offer = listener;
}

let offerRejection: ((reason: unknown) => boolean) | null = null;

/** Says who hears of rejections that nobody took: true where a listener prevented the failure. */
export function offerRejectionsTo(listener: (reason: unknown) => boolean): void {
  offerRejection = listener;
}

/**
 * A promise was rejected with nobody to take it: the engine tells the host, which has no more of
 * the reason than its text. An error is made anew of that.
 */
export function reportRejection(errorJson: string | null, primitive: Primitive): void {
  const reason = errorJson === null ? primitive : errorOf(errorJson);
  if (offerRejection?.(reason) !== true) failCurrent(reason);
}

function errorOf(json: string): Error {
  const { name, message, stack } = jsonParse(json) as Record<"name" | "message" | "stack", string>;
  const error = new NativeError(message);
  for (const [key, value] of [
    ["name", name],
    ["stack", stack],
  ] as const) {
    defineProperty(error, key, { value, writable: true, configurable: true, enumerable: false });
  }
  return error;
}

/** What `reportError` does: listeners of the global `error` event first, then the run fails. */
export function reportUncaught(thrown: unknown): void {
  let isHandled = false;
  try {
    isHandled = (offer?.(thrown) ?? false) || askOnError(thrown);
  } catch (second) {
    // A listener's own error is the later one, and as uncaught as the first.
    failCurrent(second);
    return;
  }
  if (!isHandled) failCurrent(thrown);
}

/** `globalThis.onerror` takes its arguments spread, and answers true to have handled it. */
function askOnError(thrown: unknown): boolean {
  const handler = (globalThis as { onerror?: unknown }).onerror;
  if (typeof handler !== "function") return false;
  const message = String((thrown as { message?: unknown } | null)?.message ?? thrown);
  return handler.call(globalThis, message, "", 0, 0, thrown) === true;
}
