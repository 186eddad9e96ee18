import type * as Library from "node-inspect-extracted";

import { withoutRuntimeFrames } from "../result/reduce-error.ts";

const { formatWithOptions, inspect: inspectValue } = loadLibrary();

/** The library lists the parts of `Atomics` when it starts, and here there is none. */
function loadLibrary(): typeof Library {
  const before = Reflect.getOwnPropertyDescriptor(globalThis, "Atomics");
  Object.defineProperty(globalThis, "Atomics", { value: {}, configurable: true });
  try {
    return require("node-inspect-extracted") as typeof Library;
  } finally {
    if (before === undefined) Reflect.deleteProperty(globalThis, "Atomics");
    else Object.defineProperty(globalThis, "Atomics", before);
  }
}

/** Shows a value as `console.log` does. */
export function inspect(value: unknown, options: object = {}): string {
  return withoutRuntimeFrames(inspectValue(value, options));
}

/** A console line's text: `%s`, `%d`, `%o` and their like filled in, what is left inspected. */
export function formatLine(args: readonly unknown[]): string {
  return withoutRuntimeFrames(formatWithOptions({ colors: false }, ...args));
}
