import { randomUUID } from "node:crypto";
import { closeSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { confinedAsOwnUser, confinedCommand, reducedCommand } from "../walls/confinement.ts";
import type { CageProgram, WallTools } from "../walls/confinement.ts";
import type { MemoryWall } from "../walls/memory/memory-wall.ts";
import { assemble, cageFilter } from "../walls/seccomp.ts";
import { cageLimitBytes } from "./cage-memory.ts";
import { CageProcess } from "./cage-process.ts";
import type { CageObserver } from "./cage-process.ts";
import type { CageUids } from "./cage-uids.ts";

/** What walls the cages of this service get. */
export interface Walls {
  /** Null where there are no namespaces: the cage is then a plain process. */
  readonly tools: WallTools | null;
  /** Whether each cage has a user of its own, which takes a service that is root. */
  readonly ownUid: boolean;
  readonly seccomp: boolean;
  readonly memory: MemoryWall;
}

/** The memory that a booting cage may take, before a run says its own. */
const BOOT_MEMORY_MB = 64;

/** Starts cages of one program behind one set of walls. */
export class CageFactory {
  readonly #program: CageProgram;
  readonly #walls: Walls;
  readonly #uids: CageUids;
  readonly #filter: SeccompFile | null;

  constructor(program: CageProgram, walls: Walls, uids: CageUids) {
    this.#program = program;
    this.#walls = walls;
    this.#uids = uids;
    this.#filter = walls.seccomp && walls.tools !== null ? new SeccompFile() : null;
  }

  /** Starts one. Throws where that cannot be done, with nothing left behind. */
  start(id: number, observer: CageObserver): CageProcess {
    const { tools, ownUid, memory: wall } = this.#walls;
    const uid = this.#uids.take();
    const memory = wall.open(id);
    try {
      memory.setLimit(cageLimitBytes(BOOT_MEMORY_MB));
      return new CageProcess(
        {
          id,
          uid,
          memory,
          seccompFile: this.#filter?.path ?? null,
          command: (seccompFd) => {
            if (tools === null) return reducedCommand(this.#program);
            return ownUid
              ? confinedCommand(this.#program, tools, { uid, seccompFd })
              : confinedAsOwnUser(this.#program, tools, seccompFd);
          },
        },
        observer,
      );
    } catch (error) {
      this.#uids.release(uid);
      void memory.remove();
      throw error;
    }
  }

  /** Gives back what a cage had to itself. To be called once it is dead. */
  release(uid: number): void {
    this.#uids.release(uid);
  }

  close(): void {
    this.#filter?.close();
  }
}

/** The compiled filter as a file that has no name: each `open` of `path` reads it from the start. */
class SeccompFile {
  readonly #fd: number;

  constructor() {
    const named = join(tmpdir(), `bulkhead-filter-${randomUUID()}`);
    const arch = process.arch === "arm64" ? "arm64" : "x64";
    writeFileSync(named, assemble(cageFilter(arch)), { mode: 0o600 });
    this.#fd = openSync(named, "r");
    rmSync(named);
  }

  get path(): string {
    return `/proc/self/fd/${this.#fd}`;
  }

  close(): void {
    closeSync(this.#fd);
  }
}
