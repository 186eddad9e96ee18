import { execFile } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { access, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";

import { build } from "esbuild";

const GUEST_ENTRY = path.join(import.meta.dirname, "guest", "main.ts");
const CACHE_MAKER = path.join(import.meta.dirname, "guest-cache.ts");

/** The file name the bundle must be compiled under: results leave out the frames that bear it. */
export const GUEST_FILENAME = "bulkhead:runtime";

/** Most time that making the code cache may take; without one, isolates only start slower. Milliseconds. */
const CACHE_TIMEOUT_MS = 20_000;

export interface GuestBuild {
  readonly bundlePath: string;
  /** V8's code cache for the bundle, made by this very Node; null where it could not be made. */
  readonly cachePath: string | null;
  /** Hash of the bundle: two builds with the same version behave the same. */
  readonly version: string;
}

/**
 * Bundles the guest runtime into `folder`, and compiles it ahead. Idempotent: files are named by
 * what is in them, written beside and renamed, and left alone where they are there already.
 */
export async function buildGuest(folder: string): Promise<GuestBuild> {
  const bundle = await bundleGuest();
  const version = hashOf(bundle);
  await mkdir(folder, { recursive: true });
  const bundlePath = path.join(folder, `guest-${version}.js`);
  if (!(await exists(bundlePath))) await writeWhole(bundlePath, bundle);
  // The cache is V8's own, and of no use to another build of it.
  const maker = hashOf(await readFile(CACHE_MAKER, "utf8"));
  const cachePath = path.join(folder, `guest-${version}-${maker}-${process.versions.v8}.cache`);
  if (await exists(cachePath)) return { bundlePath, cachePath, version };
  const made = await makeCache(bundlePath, cachePath);
  return { bundlePath, cachePath: made ? cachePath : null, version };
}

const hashOf = (text: string): string =>
  createHash("sha256").update(text).digest("hex").slice(0, 16);

async function bundleGuest(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [GUEST_ENTRY],
    bundle: true,
    write: false,
    format: "iife",
    platform: "neutral",
    mainFields: ["module", "main"],
    target: "es2024",
    minifySyntax: true,
    minifyWhitespace: true,
    charset: "utf8",
    legalComments: "none",
    logLevel: "silent",
  });
  const [output] = outputFiles;
  if (output === undefined) throw new Error("Cannot build the guest runtime: esbuild gave nothing");
  return output.text;
}

async function makeCache(bundlePath: string, cachePath: string): Promise<boolean> {
  const draft = `${cachePath}.${randomUUID()}`;
  try {
    await promisify(execFile)(
      process.execPath,
      ["--no-node-snapshot", CACHE_MAKER, bundlePath, draft],
      { env: {}, timeout: CACHE_TIMEOUT_MS, killSignal: "SIGKILL" },
    );
    await rename(draft, cachePath);
    return true;
  } catch {
    await rm(draft, { force: true });
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

/** The bundle and its cache as a cage loads them. */
export async function readGuest(
  guest: GuestBuild,
): Promise<{ readonly code: string; readonly cache: Buffer | null }> {
  const [code, cache] = await Promise.all([
    readFile(guest.bundlePath, "utf8"),
    guest.cachePath === null ? null : readFile(guest.cachePath),
  ]);
  return { code, cache };
}
