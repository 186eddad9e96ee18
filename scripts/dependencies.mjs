import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { withLock } from "./lock.mjs";

/** Lies inside node_modules, so that whoever removes the packages removes the claim, too. */
const STAMP = "node_modules/.bulkhead-stamp";

/**
 * Not `npm ci`: it refuses a lockfile that was made where the optional packages of some other system
 * could not be had. This installs the locked versions just the same and leaves the lockfile alone.
 */
const INSTALL = [
  "install",
  "--no-save",
  // Untrusted install scripts are not needed: every native part comes prebuilt in its package.
  "--ignore-scripts",
  "--include=dev",
  "--include=optional",
  "--no-audit",
  "--no-fund",
  "--loglevel=error",
];

/**
 * Makes sure that node_modules is what package-lock.json says. Costs one hash when it is; several
 * commands started at once install once, and the others wait.
 *
 * @param {string} root
 * @param {(line: string) => void} say
 */
export async function ensureDependencies(root, say) {
  if (isCurrent(root)) return;
  await withLock(
    join(root, ".bulkhead/install.lock"),
    async () => {
      if (isCurrent(root)) return;
      const started = Date.now();
      say("Installing the npm packages (a minute or so, once)");
      const code = await run("npm", INSTALL, root);
      if (code !== 0) throw new Error(`Cannot install the npm packages: npm exited with ${code}`);
      writeStamp(root);
      say(`Installed the npm packages in ${((Date.now() - started) / 1000).toFixed(1)} s`);
    },
    () => say("Waiting for another command that is installing the npm packages"),
  );
}

/**
 * Whether an installation made for this lockfile is in place. One that was made by hand counts as
 * well: npm records what it laid down, and that record is compared.
 *
 * @param {string} root
 * @returns {boolean}
 */
export function isCurrent(root) {
  const lockfile = readFileSync(join(root, "package-lock.json"), "utf8");
  const stamp = join(root, STAMP);
  if (existsSync(stamp)) {
    if (readFileSync(stamp, "utf8") === stampFor(lockfile)) return true;
  }
  const record = join(root, "node_modules/.package-lock.json");
  if (!existsSync(record) || !isSatisfied(lockfile, readFileSync(record, "utf8"))) return false;
  writeStamp(root);
  return true;
}

/**
 * Whether everything that the lockfile wants is in npm's record of an installation. Packages for
 * other systems are left out of an installation and must be optional to be missed.
 *
 * @param {string} lockfile
 * @param {string} record
 * @returns {boolean}
 */
export function isSatisfied(lockfile, record) {
  const installed = JSON.parse(record).packages ?? {};
  return Object.entries(JSON.parse(lockfile).packages ?? {}).every(([path, wanted]) => {
    if (path === "") return true;
    const found = installed[path];
    return found === undefined ? wanted.optional === true : found.version === wanted.version;
  });
}

/**
 * What the stamp holds for a lockfile: packages differ between systems, so the system is part of it.
 *
 * @param {string} lockfile
 * @returns {string}
 */
export function stampFor(lockfile) {
  const hash = createHash("sha256").update(lockfile).digest("hex");
  return `${process.platform}-${process.arch} ${hash}\n`;
}

/** @param {string} root */
function writeStamp(root) {
  writeFileSync(join(root, STAMP), stampFor(readFileSync(join(root, "package-lock.json"), "utf8")));
}

/**
 * @param {string} command
 * @param {readonly string[]} args
 * @param {string} cwd
 * @returns {Promise<number>}
 */
function run(command, args, cwd) {
  return new Promise((resolve, reject) => {
    // npm's own chatter goes to stderr, so that a command's stdout is only its answer.
    const child = spawn(command, args, { cwd, stdio: ["ignore", 2, 2] });
    child.once("error", reject);
    child.once("exit", (code) => resolve(code ?? 1));
  });
}
