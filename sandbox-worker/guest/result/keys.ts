import { stringIncludes, stringSlice } from "../primordials.ts";

/** Whether a key could be read as a tag's, or as such a key escaped: `$type`, `$$type`, … */
export function isTypeKey(key: string): boolean {
  if (key.length < 5 || stringSlice(key, -5) !== "$type") return false;
  for (let i = 0; i < key.length - 5; i++) if (key[i] !== "$") return false;
  return true;
}

/** A key as a step of a JSON pointer. */
export function pointerStep(key: string): string {
  if (!stringIncludes(key, "~") && !stringIncludes(key, "/")) return key;
  let text = "";
  for (let i = 0; i < key.length; i++) {
    const unit = key[i];
    text += unit === "~" ? "~0" : unit === "/" ? "~1" : (unit as string);
  }
  return text;
}
