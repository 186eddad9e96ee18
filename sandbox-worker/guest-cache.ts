/**
 * Makes V8's code caches of the guest runtime's scripts:
 * `guest-cache.ts <core> <library> <core's cache> <library's cache>`.
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
import { type GuestBoot, type HostOps, OP_NAMES } from "./guest/host-ops.ts";

const [corePath, libraryPath, coreCachePath, libraryCachePath] = process.argv.slice(2);
if (
  corePath === undefined ||
  libraryPath === undefined ||
  coreCachePath === undefined ||
  libraryCachePath === undefined
) {
  throw new Error("Cannot make code caches: needs the paths of two scripts and two caches");
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
const library = new vm.Script(await readFile(libraryPath, "utf8"), { filename: GUEST_FILENAME });
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
  library: () => library.runInContext(context) as ReturnType<HostOps["library"]>,
};

const boot: GuestBoot = {
  env: {},
  net: [],
  runId: "run_0",
  versions: { bulkhead: "", v8: "", typescript: "" },
  request: null,
  resultBytes: 1 << 20,
};

const core = new vm.Script(await readFile(corePath, "utf8"), { filename: GUEST_FILENAME });
const context = vm.createContext();
const start = core.runInContext(context) as (...ops: unknown[]) => (...args: unknown[]) => void;
const entry = start(...OP_NAMES.map((name) => ops[name]));
const program: unknown = vm.runInContext(PROGRAM, context);
entry("boot", JSON.stringify(boot));
entry("main", program, '{"a":1}');
await ended.promise;
entry("threw", vm.runInContext(`new TypeError("thrown", { cause: "why" })`, context));
await writeFile(coreCachePath, core.createCachedData());
await writeFile(libraryCachePath, library.createCachedData());
