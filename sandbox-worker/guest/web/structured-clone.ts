import { kindOf, unbox } from "../result/kinds.ts";
import { registeredClone } from "./clone-forms.ts";
import { DOMException } from "./dom-exception.ts";

type Seen = Map<object, unknown>;

const ERROR_NAMES: Readonly<Record<string, ErrorConstructor>> = {
  Error,
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError,
};

/**
 * A deep copy, as the HTML standard has it: cycles and shared parts stay, prototypes and methods
 * do not. Only ArrayBuffers, ports and streams can be listed in `transfer`; of these this runtime
 * moves buffers, and hands ports over as they are.
 */
export function structuredClone(
  value: unknown,
  options?: { readonly transfer?: Iterable<unknown> },
): unknown {
  if (arguments.length === 0) throw new TypeError("Cannot clone: structuredClone needs a value");
  const transfer = options?.transfer === undefined ? [] : [...options.transfer];
  const seen: Seen = new Map();
  for (const item of transfer) checkTransfer(item, transfer);
  for (const item of transfer) {
    if (!(item instanceof ArrayBuffer)) seen.set(item as object, item);
  }
  const copy = clone(value, seen);
  for (const item of transfer) {
    if (item instanceof ArrayBuffer) item.transfer();
  }
  return copy;
}

function checkTransfer(item: unknown, all: readonly unknown[]): void {
  if (all.indexOf(item) !== all.lastIndexOf(item)) throw refuse("something listed twice");
  if (item instanceof ArrayBuffer) {
    if (item.detached) throw refuse("a detached ArrayBuffer");
    return;
  }
  const isPort =
    typeof item === "object" && item !== null && registeredClone(item) === "transferable";
  if (!isPort) throw refuse("what can't be transferred");
}

function refuse(what: string): DOMException {
  return new DOMException(`Cannot clone ${what}`, "DataCloneError");
}

function clone(value: unknown, seen: Seen): unknown {
  if (typeof value === "symbol") throw refuse(String(value));
  if (typeof value === "function") throw refuse(`the function "${value.name}"`);
  if (typeof value !== "object" || value === null) return value;
  const known = seen.get(value);
  if (known !== undefined) return known;
  if (Array.isArray(value)) {
    const list: unknown[] = [];
    list.length = value.length;
    return cloneFields(value, remember(seen, value, list), seen);
  }
  switch (kindOf(value)) {
    case "date":
      return remember(seen, value, new Date((value as Date).getTime()));
    case "regexp":
      return remember(seen, value, new RegExp((value as RegExp).source, (value as RegExp).flags));
    case "boxed":
      return remember(seen, value, Object(unbox(value)) as object);
    case "map": {
      const entries = [...(value as Map<unknown, unknown>)];
      const map = remember(seen, value, new Map<unknown, unknown>());
      for (const [key, item] of entries) map.set(clone(key, seen), clone(item, seen));
      return map;
    }
    case "set": {
      const items = [...(value as Set<unknown>)];
      const set = remember(seen, value, new Set<unknown>());
      for (const item of items) set.add(clone(item, seen));
      return set;
    }
    case "error":
      return cloneError(value as Error, seen);
    case "array buffer":
      return remember(seen, value, copyBuffer(value as ArrayBuffer));
    case "typed array":
    case "data view":
      return cloneView(value as ArrayBufferView, seen);
    case "promise":
    case "iterator":
    case "weak":
      throw refuse(Object.prototype.toString.call(value));
    case "object":
      return cloneObject(value, seen);
  }
}

function cloneObject(value: object, seen: Seen): unknown {
  const registered = registeredClone(value);
  if (registered === "transferable" || registered === "refused") {
    throw refuse(Object.prototype.toString.call(value));
  }
  if (registered !== null) return remember(seen, value, registered.copy);
  return cloneFields(value, remember(seen, value, {}), seen);
}

function remember<Copy extends object>(seen: Seen, value: object, copy: Copy): Copy {
  seen.set(value, copy);
  return copy;
}

function cloneFields(from: object, to: object, seen: Seen): object {
  for (const key of Object.keys(from)) {
    Object.defineProperty(to, key, {
      value: clone((from as Record<string, unknown>)[key], seen),
      writable: true,
      enumerable: true,
      configurable: true,
    });
  }
  return to;
}

function cloneError(error: Error, seen: Seen): Error {
  const Constructor = ERROR_NAMES[error.name] ?? Error;
  const copy = Reflect.construct(Error, [], Constructor) as Error;
  remember(seen, error, copy);
  for (const key of ["message", "stack", "cause"] as const) {
    if (!(key in error)) continue;
    const value = key === "cause" ? clone(error.cause, seen) : String(error[key]);
    Object.defineProperty(copy, key, { value, writable: true, configurable: true });
  }
  return copy;
}

function copyBuffer(buffer: ArrayBuffer): ArrayBuffer {
  if (buffer.detached) throw refuse("a detached ArrayBuffer");
  if (!buffer.resizable) return buffer.slice();
  const copy = new ArrayBuffer(buffer.byteLength, { maxByteLength: buffer.maxByteLength });
  new Uint8Array(copy).set(new Uint8Array(buffer));
  return copy;
}

function cloneView(view: ArrayBufferView, seen: Seen): ArrayBufferView {
  const buffer = clone(view.buffer, seen) as ArrayBuffer;
  const { byteOffset, byteLength } = view;
  const isDataView = view instanceof DataView;
  const length = isDataView ? byteLength : (view as Uint8Array).length;
  const name = isDataView ? "DataView" : ((view as Uint8Array)[Symbol.toStringTag] as string);
  const View = (globalThis as unknown as Record<string, unknown>)[name] as new (
    ...args: unknown[]
  ) => ArrayBufferView & object;
  return remember(seen, view, new View(buffer, byteOffset, length));
}
