import { runTypeScript } from "./bootstrap.mjs";

await runTypeScript("scripts/start.ts", process.argv.slice(2));
