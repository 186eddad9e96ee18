import {
  ArrayPrototype,
  getOwnPropertyDescriptor,
  getPrototypeOf,
  isArray,
  isSame,
  jsonStringify,
  objectKeys,
  ObjectPrototype,
} from "../primordials.ts";

/** Levels looked at here. A deeper value, or a circle, is for the writer to judge. */
const DEPTH_MAX = 100;

/**
 * The text of a value that is nothing but JSON: lists and plain objects of plain values. Null where
 * it is more than that, or may be longer than `maxLength`. V8 writes it, several times faster than
 * the writer of this folder can; a getter or Proxy among it is read twice.
 */
export function plainJson(value: unknown, maxLength: number): string | null {
  if (isPatched(ObjectPrototype) || isPatched(ArrayPrototype)) return null;
  if (getPrototypeOf(ArrayPrototype) !== ObjectPrototype) return null;
  if (lengthLeft(value, maxLength, 0) < 0) return null;
  // Undefined where a Proxy changed its mind since.
  return (jsonStringify(value) as string | undefined) ?? null;
}

/** V8 asks each object for `toJSON`, and would take one that every object inherits. */
function isPatched(prototype: object): boolean {
  return getOwnPropertyDescriptor(prototype, "toJSON") !== undefined;
}

/** What is left of `length` after the text of `value` at its shortest; below 0 where it is not plain. */
function lengthLeft(value: unknown, length: number, depth: number): number {
  switch (typeof value) {
    case "string":
      return length - value.length - 2;
    case "number":
      return value - value === 0 && !isSame(value, -0) ? length - 1 : -1;
    case "boolean":
      return length - 4;
    case "object":
      if (value === null) return length - 4;
      if (depth >= DEPTH_MAX) return -1;
      return isArray(value)
        ? listLeft(value, length - 2, depth + 1)
        : fieldsLeft(value, length - 2, depth + 1);
    case "undefined":
    case "bigint":
    case "symbol":
    case "function":
      return -1;
  }
}

function listLeft(list: readonly unknown[], length: number, depth: number): number {
  if (getPrototypeOf(list) !== ArrayPrototype) return -1;
  let left = length;
  const count = list.length;
  for (let i = 0; i < count && left >= 0; i++) left = lengthLeft(list[i], left - 1, depth);
  return left;
}

function fieldsLeft(value: object, length: number, depth: number): number {
  const prototype = getPrototypeOf(value);
  if (prototype !== ObjectPrototype && prototype !== null) return -1;
  const keys = objectKeys(value);
  let left = length;
  for (let i = 0; i < keys.length && left >= 0; i++) {
    const key = keys[i] as string;
    left = lengthLeft((value as Record<string, unknown>)[key], left - key.length - 3, depth);
  }
  return left;
}
