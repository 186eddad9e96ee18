import {
  arrayBufferByteLength,
  ArrayPrototype,
  bigIntValueOf,
  booleanValueOf,
  dataViewByteLength,
  dateGetTime,
  getPrototypeOf,
  isError,
  mapGet,
  mapSet,
  mapSize,
  NativeMap,
  numberValueOf,
  ObjectPrototype,
  regExpSource,
  setSize,
  stringValueOf,
  typedArrayName,
} from "../primordials.ts";

/** What an object is by its nature, whatever a tenant made of its methods. */
export type Kind =
  | "object"
  | "date"
  | "map"
  | "set"
  | "regexp"
  | "error"
  | "typed array"
  | "array buffer"
  | "data view"
  | "boxed"
  /** Holds what cannot be read, or not without changing it. */
  | "promise"
  | "iterator"
  | "weak";

const kinds = new NativeMap<object, Kind>();
const learn = (prototype: object, kind: Kind): unknown => mapSet(kinds, prototype, kind);

learn(ObjectPrototype, "object");
learn(ArrayPrototype, "object");
learn(Date.prototype, "date");
learn(Map.prototype, "map");
learn(Set.prototype, "set");
learn(RegExp.prototype, "regexp");
learn(getPrototypeOf(Uint8Array.prototype) as object, "typed array");
learn(ArrayBuffer.prototype, "array buffer");
learn(DataView.prototype, "data view");
learn(String.prototype, "boxed");
learn(Number.prototype, "boxed");
learn(Boolean.prototype, "boxed");
learn(BigInt.prototype, "boxed");
learn(Promise.prototype, "promise");
learn(WeakMap.prototype, "weak");
learn(WeakSet.prototype, "weak");
learn(WeakRef.prototype, "weak");
// Both have no name of their own; generators of either sort inherit from one of the two.
learn(ancestor([][Symbol.iterator](), 2), "iterator");
learn(ancestor((async function* () {})(), 3), "iterator");

function ancestor(value: object, generations: number): object {
  let object = value;
  for (let i = 0; i < generations; i++) object = getPrototypeOf(object) as object;
  return object;
}

const probes = new NativeMap<Kind, (value: unknown) => unknown>();
mapSet(probes, "date", dateGetTime as (value: unknown) => unknown);
mapSet(probes, "map", mapSize);
mapSet(probes, "set", setSize);
mapSet(probes, "regexp", regExpSource);
mapSet(probes, "array buffer", arrayBufferByteLength);
mapSet(probes, "data view", dataViewByteLength);

/** The kind of an object that is no array. Runs a Proxy's `getPrototypeOf` trap, nothing else of it. */
export function kindOf(value: object): Kind {
  let prototype = getPrototypeOf(value);
  if (prototype === ObjectPrototype || prototype === null) return "object";
  if (isError(value)) return "error";
  for (; prototype !== null; prototype = getPrototypeOf(prototype)) {
    const kind = mapGet(kinds, prototype);
    if (kind !== undefined) return isOf(kind, value) ? kind : "object";
  }
  return "object";
}

/** An object may inherit from `Map.prototype` without being a Map. */
function isOf(kind: Kind, value: object): boolean {
  if (kind === "typed array") return typedArrayName(value) !== undefined;
  if (kind === "boxed") return unbox(value) !== null;
  const probe = mapGet(probes, kind);
  if (probe === undefined) return true;
  try {
    probe(value);
    return true;
  } catch {
    return false;
  }
}

const unboxers: readonly ((value: never) => string | number | boolean | bigint)[] = [
  stringValueOf,
  numberValueOf,
  booleanValueOf,
  bigIntValueOf,
];

/** The primitive inside `new String("a")` and its like; null where there is none. */
export function unbox(value: object): string | number | boolean | bigint | null {
  for (let i = 0; i < 4; i++) {
    try {
      return (unboxers[i] as (value: unknown) => string | number | boolean | bigint)(value);
    } catch {
      continue;
    }
  }
  return null;
}
