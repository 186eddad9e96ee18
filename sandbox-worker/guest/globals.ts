import { makeConsole } from "./console/console.ts";
import { defineLazy, nameAs } from "./lazy-global.ts";
import { library } from "./library.ts";
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

/** What each global is, when somebody first asks. */
const LAZY: Readonly<Record<string, () => unknown>> = {
  console: makeConsole,
  crypto: () => library().crypto().crypto,
  navigator: () => library().navigator().navigator,
  performance: () => library().performance().performance,
  Deno: () => library().deno().Deno,
  addEventListener: () => library().globalEvents().addEventListener,
  removeEventListener: () => library().globalEvents().removeEventListener,
  dispatchEvent: () => library().globalEvents().dispatchEvent,
  fetch: () => library().fetch().fetch,
  structuredClone: () => library().clone().structuredClone,
  atob: () => library().atob().atob,
  btoa: () => library().atob().btoa,
  AbortController: () => library().abort().AbortController,
  AbortSignal: () => library().abort().AbortSignal,
  Blob: () => library().blob().Blob,
  File: () => library().blob().File,
  CompressionStream: () => library().compression().CompressionStream,
  DecompressionStream: () => library().compression().DecompressionStream,
  Crypto: () => library().crypto().Crypto,
  CryptoKey: () => library().cryptoKey().CryptoKey,
  SubtleCrypto: () => library().subtle().SubtleCrypto,
  DOMException: () => library().domException().DOMException,
  FormData: () => library().formData().FormData,
  Headers: () => library().headers().Headers,
  MessageChannel: () => library().messages().MessageChannel,
  MessagePort: () => library().messages().MessagePort,
  Navigator: () => library().navigator().Navigator,
  Performance: () => library().performance().Performance,
  Request: () => library().request().Request,
  Response: () => library().response().Response,
  TextDecoder: () => library().textCodec().TextDecoder,
  TextEncoder: () => library().textCodec().TextEncoder,
  TextDecoderStream: () => library().textStreams().TextDecoderStream,
  TextEncoderStream: () => library().textStreams().TextEncoderStream,
  URL: () => library().url().URL,
  URLPattern: () => library().urlPattern().URLPattern,
  URLSearchParams: () => library().urlSearchParams().URLSearchParams,
};

/** Classes of one module, by their own names. */
const EVENT_NAMES = [
  "CustomEvent",
  "ErrorEvent",
  "Event",
  "EventTarget",
  "MessageEvent",
  "PromiseRejectionEvent",
] as const;
const STREAM_NAMES = [
  "ByteLengthQueuingStrategy",
  "CountQueuingStrategy",
  "ReadableByteStreamController",
  "ReadableStream",
  "ReadableStreamBYOBReader",
  "ReadableStreamBYOBRequest",
  "ReadableStreamDefaultController",
  "ReadableStreamDefaultReader",
  "TransformStream",
  "TransformStreamDefaultController",
  "WritableStream",
  "WritableStreamDefaultController",
  "WritableStreamDefaultWriter",
] as const;

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
    nameAs(value, name);
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
  for (const name in LAZY) defineLazy(globalThis, name, LAZY[name] as () => unknown);
  for (const name of EVENT_NAMES) defineLazy(globalThis, name, () => library().events()[name]);
  for (const name of STREAM_NAMES) defineLazy(globalThis, name, () => library().streams()[name]);
}
