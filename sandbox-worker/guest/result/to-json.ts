import { builtinPrototypes, getOwnPropertyDescriptor, getPrototypeOf } from "../primordials.ts";

/** The `toJSON` that an object or its class defines; null where it comes by a built-in prototype. */
export function ownToJson(value: object): ((key: string) => unknown) | null {
  const method = (value as { toJSON?: unknown }).toJSON;
  if (typeof method !== "function") return null;
  for (let owner: object | null = value; owner !== null; owner = getPrototypeOf(owner)) {
    for (let i = 0; i < builtinPrototypes.length; i++) {
      if (builtinPrototypes[i] === owner) return null;
    }
    if (getOwnPropertyDescriptor(owner, "toJSON") !== undefined) break;
  }
  return method as (key: string) => unknown;
}
