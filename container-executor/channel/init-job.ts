/** A file that init lays into /job before the job starts; a path that ends in `/` makes a folder. */
export interface InitFile {
  /** Relative, normalised; checked again by init. */
  readonly path: string;
  readonly bytes: Uint8Array | AsyncIterable<Uint8Array>;
  /** Permission bits. */
  readonly mode: number;
}

/** The one job of a container. */
export interface InitJob {
  /** The program is searched in the PATH of `env`. No string may hold a zero byte. */
  readonly argv: readonly string[];
  /** All of the job's environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly files: readonly InitFile[];
  /** Whether the job gets a pipe for its value at descriptor 3, at most 1 MiB. */
  readonly wantsValue: boolean;
  readonly limits: {
    /** Of anonymous and kernel memory; the tmpfs is not in it. */
    readonly memoryBytes: number | null;
    /** CPU time of all processes together. */
    readonly cpuMs: number | null;
    /** RLIMIT_NPROC; set it under gVisor only, runc counts processes by control group. */
    readonly processes: number | null;
    /** The job is killed this long after its start or its last `renew`. */
    readonly leaseMs: number;
  };
}
