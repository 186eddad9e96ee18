import { createHash } from "node:crypto";
import { open, rm } from "node:fs/promises";
import { join } from "node:path";

import type { ContainerArtifact } from "../../protocol/container-api.ts";
import type { InitFileEntry } from "../channel/init-messages.ts";

export type Storing =
  | { readonly ok: true; readonly artifact: ContainerArtifact }
  | { readonly ok: false; readonly reason: string };

/** Where the `index`-th artifact of a run lies. No path of a tenant's names a file here. */
export const artifactFile = (runFolder: string, index: number): string =>
  join(runFolder, `artifact-${index}`);

/** Writes a file's contents beside the run's other files; what was written of one that broke off is gone again. */
export async function storeArtifact(
  runFolder: string,
  index: number,
  entry: InitFileEntry,
  contents: AsyncIterable<Uint8Array>,
): Promise<Storing> {
  const path = artifactFile(runFolder, index);
  const hash = createHash("sha256");
  const file = await open(path, "w", 0o600);
  try {
    let bytes = 0;
    for await (const chunk of contents) {
      bytes += chunk.byteLength;
      if (bytes > entry.bytes) throw new Error("it has more bytes than were listed");
      hash.update(chunk);
      await file.writeFile(chunk);
    }
    const { mode } = entry;
    const sha256 = hash.digest("hex");
    return { ok: true, artifact: { path: entry.path, bytes, mode, sha256, kind: "file" } };
  } catch (error) {
    await rm(path, { force: true });
    const reason = error instanceof Error ? error.message : String(error);
    return { ok: false, reason: `it cannot be read: ${reason}` };
  } finally {
    await file.close();
  }
}
