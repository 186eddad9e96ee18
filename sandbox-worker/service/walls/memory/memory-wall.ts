/** What bounds the memory of one cage. The supervisor opens it before the cage starts. */
export interface CageMemory {
  /** The file through which the cage's first process joins; null where there is no group to join. */
  readonly processList: string | null;
  /** Raises or sets the most the cage may hold. */
  setLimit(bytes: number): void;
  /** What the cage holds now, as the limit counts it; 0 where it cannot be told. */
  heldBytes(): number;
  /** The most it held since `resetPeak`. */
  peakBytes(): number;
  resetPeak(): void;
  /** Whether the limit has killed since the cage began. True stays true. */
  overran(): boolean;
  /**
   * Watches while a run is under way, where the kernel does not: calls `onOverrun` once the cage
   * holds more than its limit. Returns what ends the watch.
   */
  watch(pid: number, onOverrun: () => void): () => void;
  /** Gives the group back, once the cage is dead. */
  remove(): Promise<void>;
}

/** A way to bound memory on this machine. */
export interface MemoryWall {
  readonly kind: "cgroup v1" | "cgroup v2" | "poll";
  open(cageId: number): CageMemory;
  /** Removes what `open` shares between cages. */
  close(): Promise<void>;
}
