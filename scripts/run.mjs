import { runTypeScript } from "./bootstrap.mjs";

const [entry, ...args] = process.argv.slice(2);
if (entry === undefined) throw new TypeError("Cannot run: name a TypeScript file");
await runTypeScript(entry, args);
