import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** What an executor keeps on disk, over its lives. */
export interface StateFolder {
  readonly path: string;
  /** A folder per run. */
  readonly runs: string;
  /** Names this executor among all on its engine: its containers and its network carry it. */
  readonly executorId: string;
  /** Known to nobody else. */
  readonly secret: Buffer;
}

/** Opens the folder, making what is not there; readable by its owner alone. */
export function openStateFolder(path: string): StateFolder {
  const runs = join(path, "runs");
  mkdirSync(runs, { recursive: true, mode: 0o700 });
  return {
    path,
    runs,
    executorId: kept(join(path, "executor-id"), () => randomBytes(6).toString("hex")),
    secret: Buffer.from(
      kept(join(path, "secret"), () => randomBytes(32).toString("hex")),
      "hex",
    ),
  };
}

function kept(file: string, make: () => string): string {
  try {
    writeFileSync(file, make(), { flag: "wx", mode: 0o600 });
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  }
  return readFileSync(file, "utf8").trim();
}
