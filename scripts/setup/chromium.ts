import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import type { Apt } from "./apt.ts";
import { findProgram } from "./find-program.ts";
import { runCommand } from "./run-command.ts";
import { lacking, ready, type StepResult } from "./step.ts";

export interface Chromium {
  readonly program: string;
  readonly version: string;
}

/** Debian's real binary comes first: its launcher in /usr/bin adds a shell and the user's flags. */
const CANDIDATES = [
  "/usr/lib/chromium/chromium",
  "google-chrome-stable",
  "google-chrome",
  "chromium",
  "chromium-browser",
];

/** Without these Chromium talks to its maker at each start and delays the first page. */
const QUIET_FLAGS = [
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
  "--disable-quic",
];

const VERSION_TIMEOUT_MS = 20_000;

/**
 * Makes sure of a Chromium and lays a wrapper for it where Miniflare looks for its Chrome.
 *
 * @param cacheHome The XDG_CACHE_HOME that the gateway's process gets.
 */
export async function prepareChromium(apt: Apt, cacheHome: string): Promise<StepResult<Chromium>> {
  if (process.platform !== "linux") {
    return lacking("the local browser is set up on Linux only; `npm run dev` fetches its own");
  }
  const own = await findChromium();
  const failure = own === null ? await apt.install(["chromium"]) : null;
  const chromium = own ?? (await findChromium());
  if (chromium === null) {
    return lacking(
      `install Chromium or Google Chrome (${failure ?? "what apt installed does not run"})`,
    );
  }
  layWrapper(cacheHome, chromium.program);
  return ready(chromium, `${chromium.version}, ${chromium.program}`);
}

async function findChromium(): Promise<Chromium | null> {
  for (const candidate of CANDIDATES) {
    const program = findProgram(candidate);
    if (program === null) continue;
    // A package can lay down a stub that only says how to install the real browser.
    const { code, stdout } = await runCommand(program, ["--version"], {
      timeoutMs: VERSION_TIMEOUT_MS,
    });
    if (code === 0) return { program, version: stdout.trim() };
  }
  return null;
}

function layWrapper(cacheHome: string, program: string): void {
  const folder = join(cacheHome, ".wrangler/chrome", chromeFolderName(miniflareChromeVersion()));
  const wrapper = join(folder, "chrome-linux64/chrome");
  const script = wrapperScript(program, process.getuid?.() === 0);
  if (existsSync(wrapper) && readFileSync(wrapper, "utf8") === script) return;
  mkdirSync(dirname(wrapper), { recursive: true });
  writeFileSync(wrapper, script);
  chmodSync(wrapper, 0o755);
  // Without this mark Miniflare deletes the folder when a browser fails to start, and downloads one.
  writeFileSync(join(folder, ".miniflare-install-complete"), "");
}

/** The script that Miniflare starts as its Chrome. Flags are in it: its environment is filtered. */
export function wrapperScript(program: string, isRoot: boolean): string {
  const flags = isRoot ? ["--no-sandbox", ...QUIET_FLAGS] : QUIET_FLAGS;
  return `#!/bin/sh\nexec '${program.replaceAll("'", "'\\''")}' ${flags.join(" ")} "$@"\n`;
}

function chromeFolderName(version: string): string {
  return `${process.arch === "arm64" ? "linux_arm" : "linux"}-${version}`;
}

function miniflareChromeVersion(): string {
  const source = readFileSync(fileURLToPath(import.meta.resolve("miniflare")), "utf8");
  const version = /BROWSER_VERSION = "([\d.]+)"/.exec(source)?.[1];
  if (version === undefined) {
    throw new Error("Cannot set up the browser: Miniflare no longer names its Chrome version");
  }
  return version;
}
