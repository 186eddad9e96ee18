import { hash } from "node:crypto";

import type { RunWork } from "../../protocol/sandbox-api.ts";
import type { FetchFailure, FetchHead, RunStart } from "../cage-protocol.ts";
import { Down, Up, type Frame } from "../frames.ts";
import type { GuestBoot } from "../guest/host-ops.ts";
import type { GuestRuntime } from "./guest-isolate.ts";
import { ModuleCache } from "./module-cache.ts";
import { Realms, type Placement } from "./realms.ts";
import { readRun } from "./run-payload.ts";
import { Run, type RunHost, type RunLeft } from "./run.ts";
import type { Watchdog } from "./watchdog.ts";

/** What a cage is made of. */
export interface CageParts {
  readonly runtime: GuestRuntime;
  readonly watchdog: Watchdog;
  readonly versions: GuestBoot["versions"];
  readonly send: (kind: number, payload: Uint8Array) => void;
}

/** One tenant's runs, one at a time: takes the supervisor's frames, and answers with the run's. */
export class Cage {
  readonly #host: RunHost;
  #run: Run | null = null;

  constructor({ runtime, watchdog, versions, send }: CageParts) {
    this.#host = {
      realms: new Realms(runtime, () => watchdog.outOfMemory()),
      cache: new ModuleCache(),
      watchdog,
      versions,
      send,
    };
  }

  /** Makes the first place ahead; of any isolation, since an isolate never used serves all. */
  prepare(memoryMb: number): void {
    this.#host.realms.prepare({ isolation: "run", memoryMb });
  }

  /** Says that a run can come. */
  ready(): void {
    this.#host.send(Up.ready, new Uint8Array());
  }

  /** @throws {TypeError} On a frame that no supervisor of ours sends; the process is then useless. */
  receive({ kind, payload }: Frame): void {
    switch (kind) {
      case Down.run:
        return this.#begin(payload);
      case Down.cancel:
        return this.#run?.cancel();
      case Down.fetchHead:
        return this.#run?.fetches.head(JSON.parse(payload.toString()) as FetchHead);
      case Down.fetchChunk:
        return this.#run?.fetches.chunk(payload);
      case Down.fetchEnd:
        return this.#run?.fetches.end(payload);
      case Down.fetchFailure:
        return this.#run?.fetches.failure(JSON.parse(payload.toString()) as FetchFailure);
      default:
        throw new TypeError(`Cannot take a frame of kind ${kind}: it is not known`);
    }
  }

  #begin(payload: Buffer): void {
    if (this.#run !== null) throw new TypeError("Cannot take a run: one is under way");
    const { start, work } = readRun(payload);
    const placement: Placement = {
      isolation: start.isolation,
      memoryMb: start.caps.memoryMb,
      warmKey: start.isolation === "warm" ? warmKey(start, work, this.#host.versions) : "",
    };
    this.#run = new Run(this.#host, start, work, placement, (left) =>
      this.#afterRun(placement, left),
    );
    this.#run.begin();
  }

  #afterRun(placement: Placement, { realm, clean, heldBytes, reusable }: RunLeft): void {
    this.#run = null;
    if (!reusable) return;
    const { realms } = this.#host;
    realms.giveBack(realm, placement, clean, heldBytes);
    realms.prepare(placement);
    this.ready();
  }
}

/** Everything that makes two runs the same program in the same bounds. The tenant is the cage's. */
function warmKey(start: RunStart, work: RunWork, versions: GuestBoot["versions"]): string {
  const { caps, net } = start;
  const { language, entry, modules, env } = work;
  const text = JSON.stringify([caps, net, language, entry, modules, env, versions]);
  return hash("sha256", text, "base64");
}
