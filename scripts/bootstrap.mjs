import { spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { constants } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { ensureDependencies } from "./dependencies.mjs";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const OLDEST_NODE = 24;

/**
 * Runs a TypeScript entry of this project, from a bare clone and under any Node from 20 on: installs
 * the packages if they are missing or old, finds a Node that runs TypeScript, and becomes that run,
 * signals and exit code included.
 *
 * @param {string} entry Relative to the project's root.
 * @param {readonly string[]} args
 */
export async function runTypeScript(entry, args) {
  try {
    await ensureDependencies(ROOT, (line) => console.error(line));
    await become(findNode(ROOT), [join(ROOT, entry), ...args]);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}

/**
 * The Node to run with: this one if it is new enough and isolated-vm has a binary for it, else the
 * one that comes as an npm package.
 *
 * @param {string} root
 * @returns {string}
 */
export function findNode(root) {
  const system = `${process.platform}-${process.arch}`;
  const prebuilt = join(root, "node_modules/isolated-vm/prebuilds", system);
  const abis = existsSync(prebuilt) ? readdirSync(prebuilt) : [];
  if (isUsable(process.versions.node, process.versions.modules, abis)) return process.execPath;

  const packaged = join(root, `node_modules/node-${system}/bin/node`);
  if (existsSync(packaged)) return packaged;
  throw new Error(
    `Cannot find a Node ${OLDEST_NODE} for ${system}: this is Node ${process.versions.node}, ` +
      `and no npm package brings one for this system. Install Node ${OLDEST_NODE} and try again`,
  );
}

/**
 * Whether a Node runs this project: TypeScript without a build step, and native isolates.
 *
 * @param {string} version
 * @param {string} abi
 * @param {readonly string[]} prebuilds File names like `isolated-vm.abi137.glibc.node`.
 * @returns {boolean}
 */
export function isUsable(version, abi, prebuilds) {
  if (Number.parseInt(version, 10) < OLDEST_NODE) return false;
  return prebuilds.some((name) => name.split(".").includes(`abi${abi}`));
}

/**
 * @param {string} node
 * @param {readonly string[]} args
 */
async function become(node, args) {
  const bin = join(ROOT, "node_modules/.bin");
  const child = spawn(node, args, {
    stdio: "inherit",
    env: { ...process.env, PATH: `${bin}${delimiter}${process.env["PATH"]}` },
  });
  /** @type {readonly NodeJS.Signals[]} */
  const forwarded = ["SIGINT", "SIGTERM", "SIGHUP"];
  for (const signal of forwarded) process.on(signal, () => child.kill(signal));

  process.exitCode = await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) =>
      resolve(code ?? 128 + constants.signals[signal ?? "SIGKILL"]),
    );
  });
}
