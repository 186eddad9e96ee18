import type { InitFileEntry } from "../channel/init-messages.ts";
import type { StreamName } from "./output-recorder.ts";
import type { CgroupEvidence, ProgramEnd } from "./verdict.ts";

/** Told of a program, in the order in which it happens. All of them act before they return. */
export interface BoxListener {
  started(): void;
  /** `offset` is the first byte's place in the stream. Bytes may come again after a re-attach. */
  output(stream: StreamName, offset: number, bytes: Buffer): void;
  /** Once, last: nothing of the program lives. */
  ended(end: ProgramEnd): void;
}

export interface BoxUse {
  readonly cpuMs: number;
  readonly memoryBytes: number;
  readonly pids: number;
}

/** What a program left, readable once it ended. */
export interface BoxLeavings {
  listFiles(): Promise<{ readonly files: readonly InitFileEntry[]; readonly complete: boolean }>;
  readFile(index: number): AsyncIterable<Uint8Array>;
  readValue(): Promise<Buffer>;
}

/** A container with one run's program in it. Its owner calls `close`, and removes the container. */
export interface JobBox {
  readonly containerId: string;
  /** Asks the program to end, and after the grace ends it. `ended` is the proof. */
  cancel(graceMs: number): void;
  renew(): void;
  use(): Promise<BoxUse | undefined>;
  /** What the control group counted; null where it cannot be read any more, or ever. */
  evidence(): Promise<CgroupEvidence | null>;
  /** null where there is no init that could read them. */
  readonly leavings: BoxLeavings | null;
  /** Lets go of the container, which goes on: another life of the service may find it again. */
  detach(): void;
  close(): void;
}
