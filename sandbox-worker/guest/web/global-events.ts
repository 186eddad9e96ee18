import { offerRejectionsTo, offerUncaughtTo } from "../uncaught.ts";
import { EventTarget } from "./event-target.ts";
import { ErrorEvent, PromiseRejectionEvent } from "./events.ts";

/** The global object's listeners; its own methods call these, since it is no `EventTarget` by birth. */
const target = new EventTarget();

export const addEventListener: EventTarget["addEventListener"] = (type, listener, options) =>
  target.addEventListener(type, listener, options);
export const removeEventListener: EventTarget["removeEventListener"] = (type, listener, options) =>
  target.removeEventListener(type, listener, options);
export const dispatchEvent: EventTarget["dispatchEvent"] = (event) => target.dispatchEvent(event);

let isReporting = false;

offerUncaughtTo((error) => {
  // An error in a listener for errors would come back here.
  if (isReporting) return false;
  isReporting = true;
  try {
    const message = String((error as { message?: unknown } | null)?.message ?? error);
    const event = new ErrorEvent("error", { cancelable: true, error, message });
    return !target.dispatchEvent(event);
  } finally {
    isReporting = false;
  }
});

offerRejectionsTo((reason) => {
  const promise = Promise.reject(reason);
  // This one is heard, by whoever listens here.
  promise.catch(() => {});
  const init = { cancelable: true, promise, reason };
  return !target.dispatchEvent(new PromiseRejectionEvent("unhandledrejection", init));
});
