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

type Part = keyof ReturnType<typeof library>;

/**
 * The library's parts, and the globals that each has under their own names. Lists of text, since
 * every realm makes these: a function for each would cost it several times as much.
 */
const GLOBALS: readonly (readonly [part: Part, ...names: string[]])[] = [
  ["abort", "AbortController", "AbortSignal"],
  ["atob", "atob", "btoa"],
  ["blob", "Blob", "File"],
  ["clone", "structuredClone"],
  ["compression", "CompressionStream", "DecompressionStream"],
  ["crypto", "Crypto", "crypto"],
  ["cryptoKey", "CryptoKey"],
  ["deno", "Deno"],
  ["domException", "DOMException"],
  [
    "events",
    "CustomEvent",
    "ErrorEvent",
    "Event",
    "EventTarget",
    "MessageEvent",
    "PromiseRejectionEvent",
  ],
  ["fetch", "fetch"],
  ["formData", "FormData"],
  ["globalEvents", "addEventListener", "dispatchEvent", "removeEventListener"],
  ["headers", "Headers"],
  ["messages", "MessageChannel", "MessagePort"],
  ["navigator", "Navigator", "navigator"],
  ["performance", "Performance", "performance"],
  ["request", "Request"],
  ["response", "Response"],
  [
    "streams",
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
  ],
  ["subtle", "SubtleCrypto"],
  ["textCodec", "TextDecoder", "TextEncoder"],
  ["textStreams", "TextDecoderStream", "TextEncoderStream"],
  ["url", "URL"],
  ["urlPattern", "URLPattern"],
  ["urlSearchParams", "URLSearchParams"],
];

const fromLibrary = (name: string, part: Part): unknown =>
  (library()[part]() as Readonly<Record<string, unknown>>)[name];

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
  defineLazy(globalThis, "console", makeConsole, null);
  for (let i = 0; i < GLOBALS.length; i++) {
    const row = GLOBALS[i] as (typeof GLOBALS)[number];
    for (let j = 1; j < row.length; j++) {
      defineLazy(globalThis, row[j] as string, fromLibrary, row[0]);
    }
  }
}
