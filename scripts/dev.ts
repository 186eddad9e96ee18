import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { Apt } from "./setup/apt.ts";
import { prepareChromium } from "./setup/chromium.ts";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const LOCAL = join(ROOT, ".bulkhead");

process.exitCode = await main(process.argv.slice(2));

/** Plain `wrangler dev`, for whoever starts the other pieces by hand; it only finds its browser here. */
async function main(args: readonly string[]): Promise<number> {
  if (!existsSync(join(ROOT, ".dev.vars"))) {
    console.error(
      "Cannot start the Worker: copy .dev.vars.example to .dev.vars and set its values",
    );
    return 1;
  }
  const cacheHome = join(LOCAL, "cache");
  const apt = new Apt(join(LOCAL, "logs/set-up.log"), (line) => console.log(line));
  const chromium = await prepareChromium(apt, cacheHome);
  if (!chromium.ready) console.error(`Chromium: ${chromium.reason}`);

  const wrangler = spawn(
    process.execPath,
    [join(ROOT, "node_modules/wrangler/bin/wrangler.js"), "dev", ...args],
    {
      cwd: ROOT,
      stdio: "inherit",
      env: { ...process.env, XDG_CACHE_HOME: cacheHome, WRANGLER_SEND_METRICS: "false" },
    },
  );
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => wrangler.kill(signal));
  }
  return new Promise((resolve) => wrangler.once("exit", (code) => resolve(code ?? 1)));
}
