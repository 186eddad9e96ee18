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
  /**
   * Where in `argv` the arguments begin for the image's own program that waits in the container, its
   * interpreter already running; null where only a new program will do. Where none waits, or it
   * cannot be told all of it, a new one is started.
   */
  readonly warmFrom: number | null;
  /**
   * Whether the job gets a pipe for its value at descriptor 3, at most 1 MiB; `env` has to tell its
   * program of it in `BULKHEAD_VALUE_FD`.
   */
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
