import { Hono } from "hono";

import { artifactKey } from "../../durable-objects/job-contract.ts";
import { FailureError } from "../../protocol/failure.ts";
import { type ArtifactsAnswer, isTerminal } from "../../protocol/job.ts";
import { sandboxed } from "../answer/job-answer.ts";
import { unwrap } from "../answer/unwrap.ts";
import type { AppEnv } from "../app-env.ts";
import { readJob } from "../jobs/job-view.ts";
import { authenticate, authorize } from "../middleware/authenticate.ts";
import { fits } from "../request/fits.ts";
import { readJobId } from "../request/job-query.ts";

/** Files that jobs left. */
export const artifacts = new Hono<AppEnv>();

artifacts.get("/v1/jobs/:id/artifacts", authenticate, authorize("read"), async (c) => {
  const jobId = unwrap(readJobId(c.req.param("id")));
  const job = await readJob(c.get("services").jobs, c.get("principal").tenant, jobId);
  const { summary, details } = unwrap(job);
  const answer: ArtifactsAnswer = {
    jobId,
    ended: isTerminal(summary.state),
    artifacts: details.result?.artifacts ?? [],
  };
  sandboxed(c);
  return c.json(answer);
});

/** R2 takes no longer keys, so nothing lies under one. */
const KEY_BYTES_MAX = 1_024;

artifacts.get("/v1/jobs/:id/artifacts/:path{.+}", authenticate, authorize("read"), async (c) => {
  const { tenant } = c.get("principal");
  const jobId = unwrap(readJobId(c.req.param("id")));
  unwrap(await c.get("services").jobs.find(tenant, jobId));
  const path = c.req.param("path");
  const range = readRange(c.req.header("Range"));
  // The key begins with the caller's own tenant, so another's files have no name here.
  const key = artifactKey(tenant, jobId, path);
  if (!fits([key], KEY_BYTES_MAX)) throw NOT_FOUND();
  const { files } = c.get("services");
  const part = range === undefined ? undefined : await readPart(files, key, range);
  const file = part ?? (await readWhole(files, key));
  sandboxed(c);
  c.header("Content-Type", "application/octet-stream");
  c.header("Content-Disposition", dispositionOf(path));
  c.header("Accept-Ranges", "bytes");
  c.header("ETag", file.httpEtag);
  if (part === undefined || range === undefined) {
    c.header("Content-Length", String(file.size));
    return c.body(file.body, 200);
  }
  const { offset, length } = sliceOf(range, file.size);
  c.header("Content-Length", String(length));
  c.header("Content-Range", `bytes ${offset}-${offset + length - 1}/${file.size}`);
  return c.body(file.body, 206);
});

type ByteRange =
  | { readonly suffix: number }
  | { readonly offset: number; readonly length?: number };

/** One range of bytes; what cannot be read, or is several, is passed over, as RFC 9110 allows. */
function readRange(header: string | undefined): ByteRange | undefined {
  const [, first = "", last = ""] = /^bytes=([0-9]{0,15})-([0-9]{0,15})$/.exec(header ?? "") ?? [];
  if (first === "") return Number(last) > 0 ? { suffix: Number(last) } : undefined;
  const offset = Number(first);
  if (last === "") return { offset };
  const length = Number(last) - offset + 1;
  return length > 0 ? { offset, length } : undefined;
}

function sliceOf(range: ByteRange, size: number): { offset: number; length: number } {
  if ("suffix" in range) {
    const length = Math.min(range.suffix, size);
    return { offset: size - length, length };
  }
  const { offset, length = size } = range;
  return { offset, length: Math.min(length, size - offset) };
}

/** A file's part, or undefined where it has none such: then the whole is the answer. */
async function readPart(
  files: R2Bucket,
  key: string,
  range: ByteRange,
): Promise<R2ObjectBody | undefined> {
  try {
    return (await files.get(key, { range })) ?? undefined;
  } catch {
    return undefined;
  }
}

/** @throws {FailureError} Where there is no such file, or not now. */
async function readWhole(files: R2Bucket, key: string): Promise<R2ObjectBody> {
  let file: R2ObjectBody | null;
  try {
    file = await files.get(key);
  } catch (error) {
    console.error({ event: "artifact_unreadable", key, error });
    throw new FailureError({ code: "jobs_unavailable", retryAfterMs: 1_000 }, { cause: error });
  }
  if (file === null) throw NOT_FOUND();
  return file;
}

/** The file's own name, for whoever saves it (RFC 6266); in ASCII for those who know no other. */
function dispositionOf(path: string): string {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const plain = name.replaceAll(/[^\w.-]/g, "_");
  const encoded = encodeURIComponent(name.toWellFormed()).replaceAll(
    /['()*!]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename="${plain}"; filename*=UTF-8''${encoded}`;
}

const NOT_FOUND = (): FailureError =>
  new FailureError({ code: "not_found", what: "this artifact" });
