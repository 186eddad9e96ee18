/**
 * Makes V8's code cache of the guest runtime: `guest-cache.ts <bundle> <cache>`.
 *
 * The cache of a script that has run holds the functions that ran, so that no isolate compiles
 * them again; isolated-vm makes one only before. Hence a context of Node's own, in a process of its
 * own, and in it a program that does what most programs do: it writes to the console, fails,
 * waits, and returns values that need tags. Rarely used parts are left out: every function in the
 * cache is read by every fresh isolate.
 */
import { readFile, writeFile } from "node:fs/promises";
import vm from "node:vm";

import { GUEST_FILENAME } from "./build-guest.ts";
import type { GuestBoot, HostOps } from "./guest/host-ops.ts";

const [bundlePath, cachePath] = process.argv.slice(2);
if (bundlePath === undefined || cachePath === undefined) {
  throw new Error("Cannot make a code cache: needs the paths of the bundle and the cache");
}

const PROGRAM = `({
  default: async (input, ctx) => {
    console.log("text", input.a, { list: [1, "b"] });
    console.error("%s: %o", "inspected", new Map([[1, new Error("shown")]]), Array.from({ length: 40 }, (_, i) => i));
    setTimeout(() => {}, 1);
    await Promise.resolve(ctx.runId);
    return { json: [1, "two", null, true], date: new Date(0), map: new Map([[1, 2]]), set: new Set([3n]), none: undefined };
  },
})`;

/** Ops that do nothing, in the number and with the answers that let a program go on. */
const ended = Promise.withResolvers<void>();
const ops: HostOps = {
  log: () => {},
  timerStart: () => true,
  timerCancel: () => {},
  clock: () => 0,
  random: (length) => "\0".repeat(length),
  urlParse: () => null,
  urlSet: () => null,
  textDecode: () => null,
  textLabel: () => null,
  fetchStart: () => false,
  fetchCancel: () => {},
  cryptoStart: () => false,
  settle: () => ended.resolve(),
  fail: (name, message) =>
    ended.reject(new Error(`Cannot exercise the runtime: ${name}: ${message}`)),
  overflow: () => ended.reject(new Error("Cannot exercise the runtime: its result was too large")),
};

const boot: GuestBoot = {
  env: {},
  net: [],
  runId: "run_0",
  versions: { bulkhead: "", v8: "", typescript: "" },
  request: null,
  resultBytes: 1 << 20,
};

const script = new vm.Script(await readFile(bundlePath, "utf8"), { filename: GUEST_FILENAME });
const context = vm.createContext(
  Object.fromEntries(Object.entries(ops).map(([name, op]) => [`__op_${name}`, op as unknown])),
);
script.runInContext(context);
const { __bulkhead_entry: entry } = context as { __bulkhead_entry: (...args: unknown[]) => void };
const program: unknown = vm.runInContext(PROGRAM, context);
entry("boot", JSON.stringify(boot));
entry("main", program, '{"a":1}');
await ended.promise;
entry("threw", vm.runInContext(`new TypeError("thrown", { cause: "why" })`, context));
await writeFile(cachePath, script.createCachedData());
