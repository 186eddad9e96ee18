import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** A package that is measured beside the project. Not a dependency of it: its licence is its own. */
interface Peer {
  readonly name: string;
  readonly version: string;
  /** Packages that it works with and leaves to its user to choose, as npm takes them. */
  readonly companions: readonly string[];
}

export const N8N_RUNNER: Peer = { name: "@n8n/task-runner", version: "2.41.1", companions: [] };
export const BULLMQ: Peer = { name: "bullmq", version: "6.7.0", companions: ["ioredis@5.11.1"] };

/**
 * Installs a peer into a folder of its own, once; later calls only look. Gives the folder.
 *
 * @throws {Error} Where npm cannot install it.
 */
export async function installPeer(benchFolder: string, peer: Peer): Promise<string> {
  const { name, version, companions } = peer;
  const folder = join(benchFolder, `${name.replace("@", "").replace("/", "-")}-${version}`);
  if (existsSync(join(folder, "installed"))) return folder;
  await mkdir(folder, { recursive: true });
  // A package of its own keeps npm from walking up to the project's.
  await writeFile(join(folder, "package.json"), `${JSON.stringify({ private: true })}\n`);
  await run(
    "npm",
    [
      "install",
      "--ignore-scripts",
      "--no-audit",
      "--no-fund",
      "--no-save",
      `${name}@${version}`,
      ...companions,
    ],
    { cwd: folder, timeout: 600_000 },
  );
  await writeFile(join(folder, "installed"), "");
  return folder;
}
