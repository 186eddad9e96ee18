import { createHash, randomUUID } from "node:crypto";
import { mkdir, rename, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { build, type Plugin } from "esbuild";

const CAGE_FOLDER = path.join(import.meta.dirname, "cage");

/** Packages with native code: loaded from where they are installed. */
const NATIVE_PACKAGES = ["isolated-vm", "oxc-transform"];

export interface CageBuild {
  /** The program to start a cage with. */
  readonly mainPath: string;
  /** Folders and files that its process must be able to read, besides the guest runtime's. */
  readonly readPaths: readonly string[];
}

/**
 * Bundles the cage's program into `folder`: as it stands, Node would strip its types anew in every
 * process, which costs each some 100 ms of CPU. Idempotent: the file names follow the content.
 */
export async function buildCage(folder: string): Promise<CageBuild> {
  const thread = await bundle("watchdog-thread.ts", {});
  const threadName = `cage-watchdog-${hashOf(thread)}.mjs`;
  // The program starts the thread from the file beside it.
  const main = await bundle("main.ts", { WATCHDOG_THREAD: JSON.stringify(`./${threadName}`) });
  const mainPath = path.join(folder, `cage-${hashOf(main)}.mjs`);
  await mkdir(folder, { recursive: true });
  await writeWhole(path.join(folder, threadName), thread);
  await writeWhole(mainPath, main);
  return { mainPath, readPaths: [folder, ...NATIVE_FOLDERS, "/etc/alpine-release", "/proc/self"] };
}

/** Where npm installed the native packages, and what they load from beside them. */
const NATIVE_FOLDERS = [
  ...NATIVE_PACKAGES.map(packageFolder),
  path.join(packageFolder("oxc-transform"), "..", "@oxc-transform"),
  path.join(packageFolder("isolated-vm"), "..", "node-gyp-build"),
];

function packageFolder(name: string): string {
  const file = fileURLToPath(import.meta.resolve(name));
  const folder = path.join("node_modules", name);
  return file.slice(0, file.lastIndexOf(folder) + folder.length);
}

/** Leaves native packages where they are, by full path: the bundle may lie anywhere. */
const keepNative: Plugin = {
  name: "keep-native",
  setup(builder) {
    const filter = new RegExp(`^(?:${NATIVE_PACKAGES.join("|")})$`);
    builder.onResolve({ filter }, ({ path: name }) => ({
      path: import.meta.resolve(name),
      external: true,
    }));
  },
};

async function bundle(entry: string, define: Record<string, string>): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [path.join(CAGE_FOLDER, entry)],
    bundle: true,
    write: false,
    format: "esm",
    platform: "node",
    target: "node24",
    define,
    plugins: [keepNative],
    legalComments: "none",
    logLevel: "silent",
  });
  const [output] = outputFiles;
  if (output === undefined) throw new Error(`Cannot build "${entry}": esbuild gave nothing`);
  return output.text;
}

const hashOf = (text: string): string =>
  createHash("sha256").update(text).digest("hex").slice(0, 16);

async function writeWhole(file: string, text: string): Promise<void> {
  const draft = `${file}.${randomUUID()}`;
  await writeFile(draft, text);
  await rename(draft, file);
}
