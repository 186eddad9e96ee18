/**
 * Makes V8's code cache of the guest runtime: `guest-cache.ts <bundle> <cache>`, in a process of
 * its own, since what it runs to learn which functions are needed is the bundle itself.
 */
import { readFile, writeFile } from "node:fs/promises";

import ivm from "isolated-vm";

import { GUEST_FILENAME } from "./build-guest.ts";

const [bundlePath, cachePath] = process.argv.slice(2);
if (bundlePath === undefined || cachePath === undefined) {
  throw new Error("Cannot make a code cache: needs the paths of the bundle and the cache");
}

const isolate = new ivm.Isolate({ memoryLimit: 128 });
const script = isolate.compileScriptSync(await readFile(bundlePath, "utf8"), {
  filename: GUEST_FILENAME,
  produceCachedData: true,
});
// Its types leave out what `produceCachedData` adds.
const cache = (script as { cachedData?: ivm.ExternalCopy<ArrayBuffer> }).cachedData;
if (cache === undefined) throw new Error("Cannot make a code cache: V8 gave none");
await writeFile(cachePath, new Uint8Array(cache.copy()));
