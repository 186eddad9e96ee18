import { readFile, writeFile } from "node:fs/promises";

/**
 * The part of Deno's interface that programs written for it use most, for jobs that name no
 * permission: all of it is what the container lets through.
 */
export function makeDeno(args) {
  const env = {
    get: (name) => process.env[name],
    set: (name, value) => void (process.env[name] = value),
    has: (name) => name in process.env,
    delete: (name) => void delete process.env[name],
    toObject: () => ({ ...process.env }),
  };
  return Object.freeze({
    args: Object.freeze([...args]),
    env: Object.freeze(env),
    version: Object.freeze({ deno: "2.0.0", v8: process.versions.v8, typescript: "5.9" }),
    cwd: () => process.cwd(),
    exit: (code) => process.exit(code),
    readTextFile: (path) => readFile(path, "utf8"),
    writeTextFile: (path, text) => writeFile(path, text),
    readFile: async (path) => new Uint8Array(await readFile(path)),
    writeFile: (path, bytes) => writeFile(path, bytes),
  });
}
