import { existsSync, readFileSync, realpathSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";

import { buildCage } from "../../build-cage.ts";
import { buildGuest, guestArguments } from "../../build-guest.ts";
import type { CageProgram, WallTools } from "../walls/confinement.ts";

const SANDBOX_WORKER = resolve(import.meta.dirname, "../..");

/** Where Node and its add-ons may find the libraries they are linked against. */
const LIBRARY_FOLDERS = ["/lib", "/lib64", "/usr/lib", "/usr/lib64"];

/** Bundles the cage's program and the guest runtime into `folder`, and says what runs in a cage. */
export async function cageProgram(folder: string): Promise<CageProgram> {
  const [cage, guest] = await Promise.all([buildCage(folder), buildGuest(folder)]);
  return {
    nodePath: realpathSync(process.execPath),
    entry: cage.mainPath,
    args: [...guestArguments(guest), `--version=${version()}`],
    // What does not exist is only asked for; the process folder is each cage's own.
    readable: [...new Set([...cage.readPaths, folder])].filter(
      (path) => existsSync(path) && !path.startsWith("/proc"),
    ),
  };
}

/** What stands in a cage's place while the walls are tried. */
export function probeProgram(): CageProgram {
  const entry = join(SANDBOX_WORKER, "service/walls/confinement-probe.ts");
  return {
    nodePath: realpathSync(process.execPath),
    entry,
    args: [],
    readable: [entry, join(SANDBOX_WORKER, "frames.ts"), join(SANDBOX_WORKER, "../package.json")],
  };
}

/** The tools for a cage's walls, or undefined where this machine lacks one of them. */
export function findWallTools(searchPath: string): WallTools | undefined {
  const bwrap = findProgram("bwrap", searchPath);
  const setpriv = findProgram("setpriv", searchPath);
  const unshare = findProgram("unshare", searchPath);
  if (bwrap === undefined || setpriv === undefined || unshare === undefined) return undefined;
  return { bwrap, setpriv, unshare, libraries: LIBRARY_FOLDERS.filter((path) => existsSync(path)) };
}

function findProgram(name: string, searchPath: string): string | undefined {
  // A service's search path may leave out the folders of the system's own tools.
  return [...searchPath.split(delimiter), "/usr/bin", "/usr/sbin", "/bin", "/sbin"]
    .filter((folder) => folder.startsWith("/"))
    .map((folder) => join(folder, name))
    .find((path) => existsSync(path));
}

function version(): string {
  const manifest: unknown = JSON.parse(
    readFileSync(join(SANDBOX_WORKER, "../package.json"), "utf8"),
  );
  return (manifest as { readonly version: string }).version;
}
