import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** The peer. Not a dependency of the project: its licence is its own, and it is only measured. */
export const N8N_RUNNER = { name: "@n8n/task-runner", version: "2.41.1" } as const;

/**
 * Installs the runner into a folder of its own, once; later calls only look. Gives the folder.
 *
 * @throws {Error} Where npm cannot install it.
 */
export async function installN8nRunner(benchFolder: string): Promise<string> {
  const folder = join(benchFolder, `n8n-task-runner-${N8N_RUNNER.version}`);
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
      `${N8N_RUNNER.name}@${N8N_RUNNER.version}`,
    ],
    { cwd: folder, timeout: 600_000 },
  );
  await writeFile(join(folder, "installed"), "");
  return folder;
}
