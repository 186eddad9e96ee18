const MIB = 1024 * 1024;

/** What a cage is before it runs anything: Node, isolated-vm, the compiler and the guest runtime. */
export const CAGE_BASE_MB = 96;

/**
 * Of the run's own memory limit. V8's limit ends a run that stays within the rules; what goes past
 * it (buffers, flattened strings, the copy that garbage collection makes) ends here.
 */
const RUN_FACTOR = 3;

/** The most a cage may hold while its runs may use `memoryMb` each. */
export const cageLimitBytes = (memoryMb: number): number =>
  (CAGE_BASE_MB + RUN_FACTOR * memoryMb) * MIB;

/** Whether what a cage still holds between runs would be missing in the next one. */
export const isBloated = (heldBytes: number, memoryMb: number): boolean =>
  heldBytes + memoryMb * MIB > cageLimitBytes(memoryMb);
