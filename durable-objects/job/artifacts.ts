import type { ContainerLane, RunAddress } from "../../gateway/lanes/container.ts";
import type { ContainerArtifact, OrderFile } from "../../protocol/container-api.ts";
import { artifactKey, type SpecFile } from "../job-contract.ts";
import { base64Of } from "./base64.ts";

/**
 * Files that an order takes from earlier jobs, together: they go into one body, in memory twice.
 * Bytes.
 */
export const REFERENCED_FILES_BYTES = 16 * 1024 * 1024;

/** The longest key that R2 takes. */
const KEY_MAX_BYTES = 1_024;

export type StoreAnswer =
  | { readonly kind: "stored" }
  /** It cannot be kept, whenever it is tried again. */
  | { readonly kind: "unkept"; readonly reason: string }
  | { readonly kind: "unreachable" };

/** Brings a file that a run left from its executor to R2, checked against its digest. Safe to repeat. */
export async function storeArtifact(
  parts: { readonly lane: ContainerLane; readonly bucket: R2Bucket },
  job: { readonly tenant: string; readonly jobId: string },
  run: RunAddress,
  { path, bytes, mode, sha256 }: ContainerArtifact,
): Promise<StoreAnswer> {
  const key = artifactKey(job.tenant, job.jobId, path);
  if (!path.isWellFormed() || new TextEncoder().encode(key).length > KEY_MAX_BYTES) {
    return { kind: "unkept", reason: "its name is too long, or no text" };
  }
  const customMetadata = { mode: String(mode) };
  const answer = await parts.lane.artifact(run, path, async (body): Promise<StoreAnswer> => {
    const { readable, writable } = new FixedLengthStream(bytes);
    const [copied, put] = await Promise.allSettled([
      body.pipeTo(writable),
      parts.bucket.put(key, readable, { sha256, customMetadata }),
    ]);
    if (put.status === "fulfilled" && copied.status === "fulfilled") return { kind: "stored" };
    // A wrong digest comes after all bytes did; whatever else fails is worth another try.
    return copied.status === "fulfilled"
      ? { kind: "unkept", reason: "its bytes are not those that were told" }
      : { kind: "unreachable" };
  });
  if (answer.kind !== "unknown" && answer.kind !== "unusable") return answer;
  return { kind: "unkept", reason: "its executor does not have it" };
}

/** An order's files, those of earlier jobs read from R2; or why they cannot be had. */
export type FilesAnswer =
  | { readonly kind: "files"; readonly files: readonly OrderFile[] }
  | { readonly kind: "missing"; readonly name: string; readonly message: string };

/** Reads the files of an order. The tenant is the job's own, so it reaches no other's. */
export async function orderFiles(
  bucket: R2Bucket,
  tenant: string,
  specFiles: readonly SpecFile[],
): Promise<FilesAnswer> {
  const files: OrderFile[] = [];
  let bytes = 0;
  for (const file of specFiles) {
    if (!("artifact" in file)) {
      files.push(file);
      continue;
    }
    const { job, path } = file.artifact;
    const key = artifactKey(tenant, job, path);
    bytes += (await bucket.head(key))?.size ?? 0;
    if (bytes > REFERENCED_FILES_BYTES) {
      const message = `Cannot lay in "${file.path}": files of earlier jobs are over ${REFERENCED_FILES_BYTES} bytes together`;
      return { kind: "missing", name: "FilesTooLarge", message };
    }
    const object = await bucket.get(key);
    if (object === null) {
      const message = `Cannot lay in "${file.path}": job "${job}" left no file "${path}"`;
      return { kind: "missing", name: "ArtifactMissing", message };
    }
    const base64 = base64Of(new Uint8Array(await object.arrayBuffer()));
    const storedMode = Number(object.customMetadata?.["mode"] ?? 0o644);
    files.push({ path: file.path, base64, mode: (file.mode ?? storedMode) & 0o777 });
  }
  return { kind: "files", files };
}
