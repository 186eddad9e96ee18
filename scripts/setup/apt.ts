import { existsSync } from "node:fs";

import { findProgram } from "./find-program.ts";
import { runCommand } from "./run-command.ts";
import type { Say } from "./step.ts";

const UPDATE_TIMEOUT_MS = 120_000;
const INSTALL_TIMEOUT_MS = 600_000;

/** How long to wait for another package manager, as a fresh machine often has one at work. */
const LOCK_TIMEOUT_S = 120;

/** What stops apt from installing something, or null when nothing does. */
export function whyAptCannot(machine: {
  readonly isDebian: boolean;
  readonly isRoot: boolean;
}): string | null {
  if (!machine.isDebian) return "this is no Debian or Ubuntu system";
  if (!machine.isRoot) return "only root may install packages";
  return null;
}

/** Installs Debian packages. The package lists are fetched at most once, and only if needed. */
export class Apt {
  readonly #log: string;
  readonly #say: Say;
  #listsAreFresh = false;

  constructor(log: string, say: Say) {
    this.#log = log;
    this.#say = say;
  }

  /**
   * Installs what is named, without recommended packages and without starting any service.
   *
   * @returns Null when all of it is installed, else a sentence that says why not.
   */
  async install(packages: readonly string[]): Promise<string | null> {
    const names = packages.join(" ");
    const obstacle = whyAptCannot({
      isDebian: existsSync("/etc/debian_version") && findProgram("apt-get") !== null,
      isRoot: process.getuid?.() === 0,
    });
    if (obstacle !== null) return obstacle;

    if (!this.#listsAreFresh) {
      this.#say("  fetching the package lists (apt-get update)");
      const update = await this.#aptGet(["update", "-q"], UPDATE_TIMEOUT_MS);
      if (update.code !== 0) return `apt-get update failed: ${update.tail}`;
      this.#listsAreFresh = true;
    }
    this.#say(`  installing ${names} (apt-get install)`);
    const install = await this.#aptGet(
      ["install", "-q", "-y", "--no-install-recommends", ...packages],
      INSTALL_TIMEOUT_MS,
    );
    return install.code === 0 ? null : `apt-get install ${names} failed: ${install.tail}`;
  }

  #aptGet(args: readonly string[], timeoutMs: number) {
    return runCommand("apt-get", ["-o", `DPkg::Lock::Timeout=${LOCK_TIMEOUT_S}`, ...args], {
      timeoutMs,
      log: this.#log,
      // In runlevel 1 a package's own service is not started: the stack starts what it needs.
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" },
    });
  }
}
