/**
 * A cage's process: one tenant's isolates, one run at a time.
 *
 * Started by a supervisor as
 *
 *   node --no-node-snapshot --permission --allow-addons --allow-worker --allow-fs-read=<paths>
 *        <this file> --core=<path> --library=<path> [--core-cache=<path>] [--library-cache=<path>]
 *        [--memory-mb=<n>] [--version=<text>]
 *
 * and needs to read: this file's folder (or the bundle made of it), the packages `isolated-vm`
 * and `oxc-transform` with its binding, the guest runtime and its code cache, and `/proc/self`
 * (without which running out of memory is only seen when the time is up).
 *
 * Standard input and output carry frames, and fd 3 the last word; nothing else may be written to
 * any of them. The process has no other way out, and ends with its standard input.
 */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";

import { FrameReader } from "../frames.ts";
import { Cage } from "./cage.ts";
import { RuntimeScript } from "./guest-isolate.ts";
import { die } from "./last-word.ts";
import { sendFrame } from "./send-frame.ts";
import { Watchdog } from "./watchdog.ts";

/** Set by the bundler: the watchdog's file has another name there. */
declare const WATCHDOG_THREAD: string | undefined;

/** The TypeScript whose syntax the compiler knows. */
const TYPESCRIPT_VERSION = "5.9.0";

const { values: args } = parseArgs({
  options: {
    core: { type: "string" },
    library: { type: "string" },
    "core-cache": { type: "string" },
    "library-cache": { type: "string" },
    "memory-mb": { type: "string", default: "64" },
    version: { type: "string", default: "0.0.0" },
  },
});
const scriptOf = (path: string | undefined, cache: string | undefined): RuntimeScript => {
  if (path === undefined) throw new TypeError("Cannot start a cage: the guest runtime is missing");
  const codeCache = cache === undefined ? null : readFileSync(cache);
  return new RuntimeScript(readFileSync(path, "utf8"), codeCache);
};

// The thread starts while this one makes the first isolate.
const threadFile = typeof WATCHDOG_THREAD === "string" ? WATCHDOG_THREAD : "./watchdog-thread.ts";
const watchdog = new Watchdog(new URL(threadFile, import.meta.url));

const cage = new Cage({
  runtime: {
    core: scriptOf(args.core, args["core-cache"]),
    library: scriptOf(args.library, args["library-cache"]),
  },
  watchdog,
  versions: { bulkhead: args.version, v8: process.versions.v8, typescript: TYPESCRIPT_VERSION },
  send: sendFrame,
});
cage.prepare(Number(args["memory-mb"]));
await watchdog.online();

const reader = new FrameReader();
process.stdin.on("data", (chunk: Buffer) => {
  for (const frame of reader.push(chunk)) cage.receive(frame);
});
// Without a supervisor nobody bounds this process or hears it.
process.stdin.on("end", die);

cage.ready();
