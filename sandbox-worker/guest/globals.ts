import { defineLazy, nameAs } from "./lazy-global.ts";
import { load } from "./lazy-modules.ts";
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
  console: () => load.console().console,
  crypto: () => load.crypto().crypto,
  navigator: () => load.navigator().navigator,
  performance: () => load.performance().performance,
  Deno: () => load.deno().Deno,
  addEventListener: () => load.globalEvents().addEventListener,
  removeEventListener: () => load.globalEvents().removeEventListener,
  dispatchEvent: () => load.globalEvents().dispatchEvent,
  fetch: () => load.fetch().fetch,
  structuredClone: () => load.clone().structuredClone,
  atob: () => load.atob().atob,
  btoa: () => load.atob().btoa,
  AbortController: () => load.abort().AbortController,
  AbortSignal: () => load.abort().AbortSignal,
  Blob: () => load.blob().Blob,
  File: () => load.blob().File,
  CompressionStream: () => load.compression().CompressionStream,
  DecompressionStream: () => load.compression().DecompressionStream,
  Crypto: () => load.crypto().Crypto,
  CryptoKey: () => load.cryptoKey().CryptoKey,
  SubtleCrypto: () => load.subtle().SubtleCrypto,
  DOMException: () => load.domException().DOMException,
  FormData: () => load.formData().FormData,
  Headers: () => load.headers().Headers,
  MessageChannel: () => load.messages().MessageChannel,
  MessagePort: () => load.messages().MessagePort,
  Navigator: () => load.navigator().Navigator,
  Performance: () => load.performance().Performance,
  Request: () => load.request().Request,
  Response: () => load.response().Response,
  TextDecoder: () => load.textCodec().TextDecoder,
  TextEncoder: () => load.textCodec().TextEncoder,
  TextDecoderStream: () => load.textStreams().TextDecoderStream,
  TextEncoderStream: () => load.textStreams().TextEncoderStream,
  URL: () => load.url().URL,
  URLPattern: () => load.urlPattern().URLPattern,
  URLSearchParams: () => load.urlSearchParams().URLSearchParams,
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
  for (const name of EVENT_NAMES) defineLazy(globalThis, name, () => load.events()[name]);
  for (const name of STREAM_NAMES) defineLazy(globalThis, name, () => load.streams()[name]);
}
