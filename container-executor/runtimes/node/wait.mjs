import { closeSync, readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

// Waits in a container for the one program that it will run, as if node had been started with it.
const CONTROL_FD = 4;
const VALUE_FD = 3;

// Loads the compiler of TypeScript, which takes longer than most programs run.
stripTypeScriptTypes("enum Loaded {}", { mode: "transform" });

const record = readFileSync(CONTROL_FD, "utf8").split("\0");
closeSync(CONTROL_FD);
const count = Number(record[0]);
const [program, ...rest] = record.slice(1, count + 1);

for (const name of Object.keys(process.env)) delete process.env[name];
for (const entry of record.slice(count + 1, -1)) {
  const equals = entry.indexOf("=");
  process.env[entry.slice(0, equals)] = entry.slice(equals + 1);
}
if (process.env.BULKHEAD_VALUE_FD === undefined) closeSync(VALUE_FD);

const path = resolve(program);
process.argv.splice(1, process.argv.length, path, ...rest);
await import(pathToFileURL(path).href);
