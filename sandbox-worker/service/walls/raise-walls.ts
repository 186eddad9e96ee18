import { existsSync } from "node:fs";

import { CageFactory } from "../cages/cage-factory.ts";
import type { Walls } from "../cages/cage-factory.ts";
import { CageUids } from "../cages/cage-uids.ts";
import { log } from "../log.ts";
import type { CageProgram, WallTools } from "./confinement.ts";
import type { OpenedWall } from "./memory/open-memory-wall.ts";
import { missingProtections, probeWalls } from "./protections.ts";
import type { Probing, Protections } from "./protections.ts";

export interface RaisedWalls {
  readonly walls: Walls;
  readonly protections: Protections;
}

export interface WallsWanted {
  /** What is started behind them to try them. */
  readonly probe: CageProgram;
  /** Undefined where the machine lacks one. */
  readonly tools: WallTools | undefined;
  readonly memory: OpenedWall;
  readonly uidBase: number;
  readonly allowReduced: boolean;
}

/**
 * Finds the strongest walls that hold here, by starting a process behind them and looking at it.
 *
 * @throws {Error} Naming what is missing and why, where a required wall is and that is not allowed.
 */
export async function raiseWalls(wanted: WallsWanted): Promise<RaisedWalls> {
  const { memory, allowReduced } = wanted;
  const reasons: string[] = [];
  if (memory.reduced !== null) log("walls.memory-polled", { why: memory.reduced });
  for (const candidate of candidates(wanted, reasons)) {
    const walls: Walls = { ...candidate, memory: memory.wall };
    const factory = new CageFactory(wanted.probe, walls, new CageUids(wanted.uidBase));
    try {
      const probing = await probed(factory, memory.reduced === null);
      if (!probing.ok) {
        reasons.push(`${nameOf(candidate)}: ${probing.why}`);
        log("walls.do-not-hold", { walls: nameOf(candidate), why: probing.why });
        continue;
      }
      const { protections } = probing;
      const missing = missingProtections(protections);
      if (missing.length === 0 || allowReduced) {
        if (missing.length > 0) log("walls.reduced", { missing, reasons });
        return { walls, protections };
      }
      reasons.push(`${nameOf(candidate)}: without ${missing.join(", ")}`);
    } finally {
      factory.close();
    }
  }
  throw new Error(
    `Cannot confine cages: ${reasons.join("; ")}. SANDBOX_ALLOW_REDUCED=true serves all the same`,
  );
}

type Candidate = Omit<Walls, "memory">;

/** A process that could not be started on a busy machine says nothing about its walls. */
const PROBES_MAX = 3;

async function probed(factory: CageFactory, memoryHeld: boolean): Promise<Probing> {
  for (let left = PROBES_MAX; ; left--) {
    const probing = await probeWalls(factory, memoryHeld);
    if (probing.ok || left === 1) return probing;
  }
}

/** A kernel that has this file takes filters: one that then does not hold is a fault, and no lack. */
const FILTERS_FILE = "/proc/sys/kernel/seccomp/actions_avail";
const takesFilters = (): boolean =>
  ["x64", "arm64"].includes(process.arch) && existsSync(FILTERS_FILE);

/** From the strongest to the weakest. */
function candidates({ tools, allowReduced }: WallsWanted, reasons: string[]): readonly Candidate[] {
  const isRoot = process.getuid?.() === 0;
  if (tools === undefined) reasons.push("bubblewrap, setpriv or unshare is not installed");
  if (!isRoot) reasons.push("the service is not started by root");
  const plain: Candidate = { tools: null, ownUid: false, seccomp: false };
  if (tools === undefined) return [plain];
  const filtered = takesFilters();
  const behind = (ownUid: boolean): readonly Candidate[] => [
    ...(filtered ? [{ tools, ownUid, seccomp: true }] : []),
    ...(filtered && !allowReduced ? [] : [{ tools, ownUid, seccomp: false }]),
  ];
  return [...(isRoot ? behind(true) : []), ...(allowReduced ? [...behind(false), plain] : [])];
}

function nameOf({ tools, ownUid, seccomp }: Candidate): string {
  if (tools === null) return "a plain process";
  const without = [...(ownUid ? [] : ["an own user"]), ...(seccomp ? [] : ["seccomp"])];
  return without.length === 0 ? "all walls" : `all walls but ${without.join(" and ")}`;
}
