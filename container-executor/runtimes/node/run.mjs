import { readFileSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { pathToFileURL } from "node:url";

import { makeDeno } from "./deno.mjs";

/**
 * Runs the module of a JavaScript or TypeScript job: `run.mjs <module> <input> <argument>…`, where
 * input is a file of JSON text, or `-` for none. A default export that is a function is called with
 * `(input, ctx)`; what it gives, or any other default export, leaves as JSON by the value pipe.
 */
const [modulePath, inputPath, ...args] = process.argv.slice(2);

// As if the module had been started by itself.
process.argv.splice(1, process.argv.length, modulePath, ...args);
globalThis.Deno = makeDeno(args);

process.exitCode = await main();

async function main() {
  const input = takeInput();
  try {
    const { default: entry } = await import(pathToFileURL(modulePath).href);
    const value = typeof entry === "function" ? await entry(input, makeContext()) : entry;
    tellValue(value);
    return process.exitCode;
  } catch (error) {
    console.error(error);
    return 1;
  }
}

/** The input's file was laid for this program: the job's own folder is without it. */
function takeInput() {
  if (inputPath === "-") return undefined;
  const text = readFileSync(inputPath, "utf8");
  rmSync(dirname(inputPath), { recursive: true });
  return JSON.parse(text);
}

function makeContext() {
  const ended = new AbortController();
  process.once("SIGTERM", () => {
    ended.abort();
    process.exit(143);
  });
  return Object.freeze({
    runId: process.env.BULKHEAD_RUN_ID ?? null,
    env: Object.freeze({ ...process.env }),
    args: Object.freeze([...args]),
    signal: ended.signal,
  });
}

function tellValue(value) {
  if (value === undefined) return;
  const text = JSON.stringify(value);
  if (text === undefined)
    throw new TypeError(`Cannot tell the value: a ${typeof value} is no JSON`);
  const bytes = Buffer.from(text);
  const fd = Number(process.env.BULKHEAD_VALUE_FD);
  for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at);
}
