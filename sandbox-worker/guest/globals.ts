import { defineLazy } from "./lazy-global.ts";
import * as load from "./lazy-modules.ts";
import { defineProperty, promiseThen, NativePromise } from "./primordials.ts";
import { reportUncaught } from "./uncaught.ts";
import { clearInterval, clearTimeout, setInterval, setTimeout } from "./web/timers.ts";

/** Gone from every realm: shared and WebAssembly memory are outside every memory limit here. */
const REMOVED = ["WebAssembly", "SharedArrayBuffer", "Atomics"] as const;

function queueMicrotask(callback: unknown): void {
  if (typeof callback !== "function") {
    throw new TypeError("Cannot queue a microtask: the callback is not a function");
  }
  void promiseThen(NativePromise.resolve(), () => {
    try {
      callback();
    } catch (thrown) {
      reportUncaught(thrown);
    }
  });
}

function reportError(thrown: unknown): void {
  reportUncaught(thrown);
}

type LazyGlobals = Readonly<Record<string, () => unknown>>;

const LAZY_GLOBALS: LazyGlobals = {
  console: () => load.loadConsole().console,
  DOMException: () => load.loadDomException().DOMException,
  URL: () => load.loadUrl().URL,
  URLSearchParams: () => load.loadUrlSearchParams().URLSearchParams,
};

/** Makes the global object what a program expects to find. Runs before any of the tenant's code. */
export function installGlobals(): void {
  for (const name of REMOVED) Reflect.deleteProperty(globalThis, name);
  const functions = {
    setTimeout,
    setInterval,
    clearTimeout,
    clearInterval,
    queueMicrotask,
    reportError,
  };
  for (const [name, value] of Object.entries(functions)) {
    defineProperty(globalThis, name, {
      value,
      writable: true,
      configurable: true,
      enumerable: true,
    });
  }
  defineProperty(globalThis, "self", {
    value: globalThis,
    writable: true,
    configurable: true,
    enumerable: true,
  });
  for (const [name, make] of Object.entries(LAZY_GLOBALS)) defineLazy(globalThis, name, make);
}
