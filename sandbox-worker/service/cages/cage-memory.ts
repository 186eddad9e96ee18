const MIB = 1024 * 1024;

/**
 * For what a cage is besides its run: Node, isolated-vm, the compiler, the guest runtime. Booted, it
 * holds 28 MB that are not files of the system; the rest is for compiling and for garbage.
 */
const CAGE_BASE_MB = 60;

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
