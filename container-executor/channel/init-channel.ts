import type { Duplex } from "node:stream";

import type { InitExit, InitFileEntry, InitStats } from "./init-messages.ts";

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
  /** The program is searched in the PATH of `env`. */
  readonly argv: readonly string[];
  /** All of the job's environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly files: readonly InitFile[];
  /** Whether the job gets a pipe for its value at descriptor 3 (`BULKHEAD_VALUE_FD=3`). */
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

/** What a job did, in order; kept by init and told again after a re-attach until acknowledged. */
export type InitEvent =
  | { readonly type: "started"; readonly seq: number }
  | {
      readonly type: "output";
      readonly seq: number;
      readonly stream: "stdout" | "stderr";
      /** Of the first byte, in the stream as the job wrote it. */
      readonly offset: number;
      readonly bytes: Uint8Array;
    }
  /** Nothing of the job lives, and all of its output was told. Always the last event. */
  | { readonly type: "exit"; readonly seq: number; readonly exit: InitExit };

/** How a channel ended: `bye` was sent, or the connection closed or broke first. */
export type InitClosed =
  | { readonly cause: "bye" }
  | { readonly cause: "lost"; readonly reason: string };

/**
 * The executor's end of the frames that a container's init speaks, over the hijacked stream of the
 * engine's attach (`Tty: false`, `StdinOnce: false`).
 *
 * Back-pressure is by acknowledgement: init holds at most 1 MiB of events that were not
 * acknowledged and reads the job's output no further, so a consumer that acknowledges what it has
 * handled is never flooded. Requests fail (reject) once the channel is closed.
 */
export declare class InitChannel {
  /** For a container that was not given its job yet; attach before the container starts. */
  static open(stream: Duplex): InitChannel;

  /** For a container whose job was started over an earlier channel: events after `ackedSeq` come again. */
  static resume(
    stream: Duplex,
    earlier: {
      readonly syncKey: Uint8Array;
      readonly ackedSeq: number;
      readonly onEvent: (event: InitEvent) => void;
    },
  ): InitChannel;

  /** 16 secret bytes, made here and handed to init with the job; journal them to `resume` later. */
  readonly syncKey: Uint8Array;

  /** Init runs and waits for its job, or (resumed) has found this channel again. Rejects when closed before. */
  readonly ready: Promise<void>;

  /** Fulfils once, never rejects. */
  readonly closed: Promise<InitClosed>;

  /** Sends files and job; resolves once written. Once per container. */
  start(job: InitJob, onEvent: (event: InitEvent) => void): Promise<void>;

  /** More standard input; resolves once the job's pipe, or the window before it, took it. */
  writeStdin(bytes: Uint8Array): Promise<void>;
  endStdin(): void;

  /** Frees events up to and with this one. */
  ack(seq: number): void;

  renew(): void;

  /** SIGTERM to all of the job, after the grace SIGKILL; 0 kills at once. The `exit` event is the proof. */
  cancel(graceMs: number): void;

  /** Use of the running job as seen from inside the container. */
  stats(): Promise<InitStats>;

  /** What the job wrote to its value pipe; after `exit` only. */
  readValue(): Promise<Uint8Array>;

  /** The regular files below /job; after `exit` only. At most 10,000: `complete` is false where there are more. */
  listFiles(): Promise<{ readonly files: readonly InitFileEntry[]; readonly complete: boolean }>;

  /** Contents of a listed file; after `listFiles` (over this or an earlier channel). Throws where it cannot be read. */
  readFile(index: number): AsyncIterable<Uint8Array>;

  /** Tells init to exit, which ends the container, and closes the stream. */
  bye(): void;

  /** Leaves the container as it is: another channel may `resume`. */
  detach(): void;
}
