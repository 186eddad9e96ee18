import { failCurrent } from "./outcome.ts";

let offer: ((thrown: unknown) => boolean) | null = null;

/** Says who is asked first about errors that nobody caught: true where a listener took one. */
export function offerUncaughtTo(listener: (thrown: unknown) => boolean): void {
  offer = listener;
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
