import { readFileSync } from "node:fs";
import { hrtime } from "node:process";

/** The machine's monotonic clock in milliseconds: the same for every process until the next boot. */
export const monotonicMs = (): number => Number(hrtime.bigint()) / 1e6;

/** Names the machine's current boot. Times of the monotonic clock mean nothing in another one. */
export function hostBoot(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    // Not Linux: no time is carried over from an earlier life of the service.
    return `process ${process.pid} ${Date.now()}`;
  }
}
