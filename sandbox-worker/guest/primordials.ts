// oxlint-disable typescript/unbound-method -- taking methods off their prototypes is what this file does
/**
 * The language's own functions as they were before any of the tenant's code ran. What makes a
 * run's result uses only these: a tenant may replace every prototype's methods.
 */
type Uncurried<Fn> = Fn extends (this: infer This, ...args: infer Args) => infer Result
  ? (self: This, ...args: Args) => Result
  : never;

const { bind, call } = Function.prototype;

/** Turns a method into a function of its `this`, which no later change of prototypes reaches. */
function uncurryThis<This, Args extends unknown[], Result>(
  method: (this: This, ...args: Args) => Result,
): (self: This, ...args: Args) => Result {
  return bind.call(call, method) as Uncurried<typeof method>;
}

function getter<Self, Value>(prototype: object, key: PropertyKey): (self: Self) => Value {
  const get = Reflect.getOwnPropertyDescriptor(prototype, key)?.get;
  if (get === undefined) throw new TypeError(`Cannot capture "${String(key)}": it is no getter`);
  return uncurryThis(get) as (self: Self) => Value;
}

const TypedArrayPrototype = Reflect.getPrototypeOf(Uint8Array.prototype) as object;

export const ObjectPrototype: object = Object.prototype;
export const ArrayPrototype: object = Array.prototype;
/** Prototypes whose `toJSON`, if a tenant gives them one, says nothing about one object's meaning. */
export const builtinPrototypes: readonly object[] = [
  Object.prototype,
  Array.prototype,
  Function.prototype,
  Map.prototype,
  Set.prototype,
  Date.prototype,
  RegExp.prototype,
  Error.prototype,
  ArrayBuffer.prototype,
  DataView.prototype,
  TypedArrayPrototype,
  String.prototype,
  Number.prototype,
  Boolean.prototype,
  BigInt.prototype,
  Symbol.prototype,
];

export const { apply, getPrototypeOf, getOwnPropertyDescriptor, has: hasProperty } = Reflect;
export const { keys: objectKeys, is: isSame, defineProperty } = Object;
export const { isArray } = Array;
export const { parse: jsonParse, stringify: jsonStringify } = JSON;
export const { fromCharCode } = String;
export const { isError } = Error;
export const makeString = String;
export const functionToString = uncurryThis(Function.prototype.toString);

export const NativeError = Error;
export const NativeRangeError = RangeError;
export const NativeMap = Map;
export const NativePromise = Promise;
export const NativeUint8Array = Uint8Array;
export const NativeFloat32Array = Float32Array;

export const stringIncludes = uncurryThis(String.prototype.includes);
export const stringIndexOf = uncurryThis(String.prototype.indexOf);
export const stringSlice = uncurryThis(String.prototype.slice);
export const stringCharCodeAt = uncurryThis(String.prototype.charCodeAt);
export const regExpToString = uncurryThis(RegExp.prototype.toString);
export const bigIntToString = uncurryThis(BigInt.prototype.toString);
export const dateGetTime = uncurryThis(Date.prototype.getTime);
export const dateToIso = uncurryThis(Date.prototype.toISOString);
export const mapForEach = uncurryThis(Map.prototype.forEach) as <K, V>(
  self: Map<K, V>,
  each: (value: V, key: K) => void,
) => void;
export const mapGet = uncurryThis(Map.prototype.get) as <K, V>(
  self: Map<K, V>,
  key: K,
) => V | undefined;
export const mapSet = uncurryThis(Map.prototype.set) as <K, V>(
  self: Map<K, V>,
  key: K,
  value: V,
) => unknown;
export const mapDelete = uncurryThis(Map.prototype.delete) as <K>(
  self: Map<K, unknown>,
  key: K,
) => boolean;
export const mapClear = uncurryThis(Map.prototype.clear);
export const mapSize: (self: unknown) => number = getter(Map.prototype, "size");
export const setForEach = uncurryThis(Set.prototype.forEach) as <V>(
  self: Set<V>,
  each: (value: V) => void,
) => void;
export const setSize: (self: unknown) => number = getter(Set.prototype, "size");
export const stringValueOf = uncurryThis(String.prototype.valueOf);
export const numberValueOf = uncurryThis(Number.prototype.valueOf);
export const booleanValueOf = uncurryThis(Boolean.prototype.valueOf);
export const bigIntValueOf = uncurryThis(BigInt.prototype.valueOf);
export const symbolToString = uncurryThis(Symbol.prototype.toString);
export const regExpSource: (self: unknown) => string = getter(RegExp.prototype, "source");
export const promiseThen = uncurryThis(Promise.prototype.then);

export const arrayBufferByteLength: (self: unknown) => number = getter(
  ArrayBuffer.prototype,
  "byteLength",
);
export const typedArrayName: (self: unknown) => string | undefined = getter(
  TypedArrayPrototype,
  Symbol.toStringTag,
);
export const typedArrayBuffer: (self: unknown) => ArrayBuffer = getter(
  TypedArrayPrototype,
  "buffer",
);
export const typedArrayByteOffset: (self: unknown) => number = getter(
  TypedArrayPrototype,
  "byteOffset",
);
export const typedArrayByteLength: (self: unknown) => number = getter(
  TypedArrayPrototype,
  "byteLength",
);
export const dataViewBuffer: (self: unknown) => ArrayBuffer = getter(DataView.prototype, "buffer");
export const dataViewByteOffset: (self: unknown) => number = getter(
  DataView.prototype,
  "byteOffset",
);
export const dataViewByteLength: (self: unknown) => number = getter(
  DataView.prototype,
  "byteLength",
);
