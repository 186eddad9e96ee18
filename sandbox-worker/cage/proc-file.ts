import { openSync } from "node:fs";

/** Opens a file of the kernel's about this process, for as long as it lives; null where there is none. */
export function openOrNull(path: string): number | null {
  try {
    return openSync(path, "r");
  } catch {
    return null;
  }
}
