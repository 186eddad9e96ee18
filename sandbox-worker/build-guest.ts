import { execFile } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { access, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";

import { bundleGuest } from "./bundle-guest.ts";

const CACHE_MAKER = path.join(import.meta.dirname, "guest-cache.ts");

/** The file name that both scripts must be compiled under: results leave out the frames that bear it. */
export const GUEST_FILENAME = "bulkhead:runtime";

/** Most time that making the code cache may take; without one, isolates only start slower. Milliseconds. */
const CACHE_TIMEOUT_MS = 20_000;

/** One of the runtime's scripts, as files. */
export interface ScriptFiles {
  readonly path: string;
  /** V8's code cache for it, made by this very Node; null where it could not be made. */
  readonly cachePath: string | null;
}

export interface GuestBuild {
  readonly core: ScriptFiles;
  readonly library: ScriptFiles;
  /** Hash of both: two builds with the same version behave the same. */
  readonly version: string;
}

/**
 * Bundles the guest runtime into `folder`, and compiles it ahead. Idempotent: files are named by
 * what is in them, written beside and renamed, and left alone where they are there already.
 */
export async function buildGuest(folder: string): Promise<GuestBuild> {
  const bundles = await bundleGuest();
  const version = hashOf(`${bundles.core}\n${bundles.library}`);
  await mkdir(folder, { recursive: true });
  // The cache is V8's own, and of no use to another build of it.
  const maker = hashOf(await readFile(CACHE_MAKER, "utf8"));
  const filesOf = async (
    name: "core" | "library",
  ): Promise<Record<"path" | "cachePath", string>> => {
    const stem = path.join(folder, `guest-${version}-${name}`);
    if (!(await exists(`${stem}.js`))) await writeWhole(`${stem}.js`, bundles[name]);
    return { path: `${stem}.js`, cachePath: `${stem}-${maker}-${process.versions.v8}.cache` };
  };
  const [core, library] = await Promise.all([filesOf("core"), filesOf("library")]);
  const there = (await exists(core.cachePath)) && (await exists(library.cachePath));
  if (there || (await makeCaches(core, library))) return { core, library, version };
  return {
    core: { ...core, cachePath: null },
    library: { ...library, cachePath: null },
    version,
  };
}

const hashOf = (text: string): string =>
  createHash("sha256").update(text).digest("hex").slice(0, 16);

async function makeCaches(
  ...scripts: readonly { readonly path: string; readonly cachePath: string }[]
): Promise<boolean> {
  const drafts = scripts.map(({ cachePath }) => `${cachePath}.${randomUUID()}`);
  try {
    await promisify(execFile)(
      process.execPath,
      ["--no-node-snapshot", CACHE_MAKER, ...scripts.map((script) => script.path), ...drafts],
      { env: {}, timeout: CACHE_TIMEOUT_MS, killSignal: "SIGKILL" },
    );
    for (const [i, { cachePath }] of scripts.entries()) await rename(drafts[i] ?? "", cachePath);
    return true;
  } catch {
    for (const draft of drafts) await rm(draft, { force: true });
    return false;
  }
}

async function writeWhole(file: string, text: string): Promise<void> {
  const draft = `${file}.${randomUUID()}`;
  await writeFile(draft, text);
  await rename(draft, file);
}

async function exists(file: string): Promise<boolean> {
  return await access(file).then(
    () => true,
    () => false,
  );
}

/** A script and its code cache as a cage loads them. */
export interface LoadedScript {
  readonly code: string;
  readonly cache: Buffer | null;
}

export async function readScript({ path: file, cachePath }: ScriptFiles): Promise<LoadedScript> {
  const [code, cache] = await Promise.all([
    readFile(file, "utf8"),
    cachePath === null ? null : readFile(cachePath),
  ]);
  return { code, cache };
}

/** The arguments by which a cage's program is told of the runtime. */
export const guestArguments = ({ core, library }: GuestBuild): readonly string[] =>
  Object.entries({
    core: core.path,
    "core-cache": core.cachePath,
    library: library.path,
    "library-cache": library.cachePath,
  }).flatMap(([name, file]) => (file === null ? [] : [`--${name}=${file}`]));
