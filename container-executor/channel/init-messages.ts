/** How the job's main process ended. */
export type InitEnd =
  | { readonly kind: "exited"; readonly code: number }
  | { readonly kind: "signalled"; readonly signal: string }
  /** The program could not be executed: none of the job's code ran. */
  | { readonly kind: "exec_failed"; readonly errno: string }
  /** A file could not be laid down: none of the job's code ran. */
  | { readonly kind: "setup_failed"; readonly errno: string; readonly path: string };

/** Why init ended the job; null where its main process ended by itself. */
export type InitKill = "cancelled" | "lease_expired" | "memory_limit" | "disk_limit" | "cpu_limit";

/** How a job ended, with what init saw as evidence for the outcome. */
export interface InitExit {
  readonly end: InitEnd;
  readonly killedFor: InitKill | null;
  readonly evidence: {
    /** Processes that the kernel killed for memory since the job's start; 0 where not to be known. */
    readonly oomKills: number;
    /** Times that a new process was refused for the container's pids limit; 0 where not to be known. */
    readonly pidsRefused: number;
    /** The work folder was seen without a free block or inode. */
    readonly diskFull: boolean;
    /** The job wrote more to its value pipe than 1 MiB; the value is cut there. */
    readonly valueOver: boolean;
  };
  readonly usage: {
    /** From the program's start to the end of its main process. */
    readonly wallMs: number;
    readonly cpuMs: number;
    /** The most that was seen of anonymous and kernel memory. */
    readonly memoryPeakBytes: number;
    /** Used in the work folder at the end. */
    readonly diskBytes: number;
    /** From the main process's end or the decision to kill until nothing of the job lived. */
    readonly killMs: number;
  };
  readonly stdoutBytes: number;
  readonly stderrBytes: number;
  readonly valueBytes: number;
}

export interface InitStats {
  readonly cpuMs: number;
  /** Anonymous and kernel memory. */
  readonly memoryBytes: number;
  readonly diskBytes: number;
  readonly pids: number;
}

/** A regular file that the job left. */
export interface InitFileEntry {
  readonly index: number;
  /** Relative to /job; where it is no UTF-8 its bytes outside of ASCII read `%XX`, so two may read alike. */
  readonly path: string;
  readonly bytes: number;
  /** What it takes on the disk: less than `bytes` for a sparse file. */
  readonly allocatedBytes: number;
  /** Permission bits. */
  readonly mode: number;
}
