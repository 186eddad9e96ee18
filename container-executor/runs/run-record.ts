import { createReadStream, mkdirSync, rmSync } from "node:fs";
import type { ReadStream } from "node:fs";
import { join } from "node:path";

import { ContainerEvent, OUTPUT_ARTIFACTS } from "../../protocol/container-api.ts";
import type { ContainerArtifact, ContainerResult } from "../../protocol/container-api.ts";
import type { RunSpec } from "../journal/journal.ts";
import { artifactFile } from "./artifact-store.ts";
import { EventLog } from "./event-log.ts";
import { STREAMS } from "./output-recorder.ts";

/**
 * What is kept of a run in a folder of its own until it is acknowledged: its events, its output and
 * its artifacts. Owns the event log's descriptor until `close` or `remove`.
 */
export class RunRecord {
  readonly spec: RunSpec;
  readonly folder: string;
  readonly log: EventLog;
  #artifacts: readonly ContainerArtifact[] = [];

  /** `now`: milliseconds since the order was taken. */
  constructor(runsFolder: string, spec: RunSpec, now: () => number) {
    this.spec = spec;
    // A run id is of letters, digits, a dot and an underscore.
    this.folder = join(runsFolder, spec.runId);
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
    this.log = EventLog.open(join(this.folder, "events.ndjson"), now);
  }

  /** Tells a result's artifacts, which may be read from now on, and the result; what was told before is not told again. */
  tellEnd(result: ContainerResult): void {
    this.#artifacts = result.artifacts;
    if (this.log.ended) return;
    for (const artifact of result.artifacts.slice(this.#artifactsTold())) {
      this.log.append({ type: "artifact", artifact });
    }
    this.log.append({ type: "end", result });
  }

  /** How many artifacts an earlier life of the service told, before it could tell the end. */
  #artifactsTold(): number {
    if (!this.log.isResumed) return 0;
    let told = 0;
    for (const text of this.log.texts()) {
      if (ContainerEvent.parse(JSON.parse(text)).type === "artifact") told++;
    }
    return told;
  }

  /** A published artifact's bytes; undefined where there is none of that path. */
  artifact(path: string): { readonly bytes: number; readonly open: () => ReadStream } | undefined {
    const files = this.#artifacts.filter(({ kind }) => kind === "file");
    const index = files.findIndex((one) => one.path === path);
    const file = files[index];
    if (file !== undefined) {
      return this.#readable(artifactFile(this.folder, index), file.bytes);
    }
    const output = this.#artifacts.find((one) => one.kind === "output" && one.path === path);
    const stream = STREAMS.find((name) => OUTPUT_ARTIFACTS[name] === path);
    if (output === undefined || stream === undefined) return undefined;
    return this.#readable(join(this.folder, stream), output.bytes);
  }

  close(): void {
    this.log.close();
  }

  remove(): void {
    this.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  #readable(path: string, bytes: number): { bytes: number; open: () => ReadStream } {
    return { bytes, open: () => createReadStream(path) };
  }
}
