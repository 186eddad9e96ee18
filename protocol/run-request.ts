import { z } from "zod";

import { JOB_ID } from "./job.ts";
import { NET_PERMISSIONS_MAX, NetPermission } from "./net-permission.ts";
import { GuestRequest, Isolation } from "./sandbox-api.ts";

/** Whether `path` is relative, with `/`, and has no part that could name anything outside its folder. */
function isRelativePath(path: string): boolean {
  return path
    .split("/")
    .every((part) => part !== "" && part !== "." && part !== ".." && !/[\\\p{Cc}]/u.test(part));
}

const relativePath = z.string().max(1024).refine(isRelativePath, {
  error: 'must be a relative path without empty, "." or ".." parts',
});

const wholeNumber = z.number().int().positive();

/** Names that a shell and `Deno.env` both take. */
const env = z.record(
  z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, {
    error: "must be a name of letters, digits and _",
  }),
  z.string().max(32_768),
);

const permissions = z.strictObject({
  /** Hosts the run may reach, in Deno's form; `"*"` is any public host. */
  net: z.array(NetPermission).max(NET_PERMISSIONS_MAX).default([]),
});

const LaneChoice = z.enum(["auto", "isolate", "browser", "container"]);

/** JavaScript or TypeScript. Runs as an isolate unless it asks for what only a container has. */
export const ScriptRequest = z.strictObject({
  lane: LaneChoice.default("auto"),
  language: z.enum(["javascript", "typescript"]),
  code: z.string().min(1),
  /** More modules by path, imported relative to the entry: `{"lib/a.ts": "export …"}`. JSON too. */
  modules: z.record(relativePath, z.string()).default({}),
  /** Any JSON value; the default export's first argument. */
  input: z.unknown().optional(),
  /** The request that a `{ fetch(request) }` default export is called with. */
  request: GuestRequest.optional(),
  isolation: Isolation.optional(),
  limits: z
    .strictObject({
      wallMs: wholeNumber.optional(),
      cpuMs: wholeNumber.optional(),
      memoryMb: wholeNumber.optional(),
      outputBytes: wholeNumber.optional(),
    })
    .default({}),
  permissions: permissions.default({ net: [] }),
  env: env.default({}),
});
export type ScriptRequest = z.infer<typeof ScriptRequest>;

/** A file laid into the work folder. Exactly one of `content`, `base64` and `artifact` is its source. */
const file = z.strictObject({
  path: relativePath,
  content: z.string().optional(),
  base64: z.base64().optional(),
  /** A file that an earlier job of the same tenant left. */
  artifact: z
    .strictObject({
      job: z.string().regex(JOB_ID, { error: "must be the id of a job" }),
      path: z.string().min(1).max(1024),
    })
    .optional(),
  mode: z
    .string()
    .regex(/^0?[0-7]{3}$/, { error: 'must be permission bits like "644"' })
    .optional(),
});

/** A heavy job: any language or image, files in, artifacts out. */
export const ContainerRequest = z.strictObject({
  lane: LaneChoice.default("auto"),
  language: z.enum(["bash", "python", "node", "javascript", "typescript"]).optional(),
  image: z.string().min(1).max(512).optional(),
  code: z.string().min(1).optional(),
  /** More modules by path, for JavaScript and TypeScript: files beside the code. */
  modules: z.record(relativePath, z.string()).optional(),
  /** Any JSON value, for JavaScript and TypeScript: the default export's first argument. */
  input: z.unknown().optional(),
  files: z.array(file).max(1000).optional(),
  stdin: z.string().optional(),
  args: z.array(z.string().max(131_072)).max(1000).optional(),
  artifacts: z.array(z.string().max(1024)).max(100).optional(),
  limits: z
    .strictObject({
      wallMs: wholeNumber.optional(),
      cpuMs: wholeNumber.optional(),
      memoryMb: wholeNumber.optional(),
      outputBytes: wholeNumber.optional(),
      cpus: z.number().positive().optional(),
      pids: wholeNumber.optional(),
      diskMb: wholeNumber.optional(),
    })
    .default({}),
  permissions: permissions.default({ net: [] }),
  env: env.default({}),
});
export type ContainerRequest = z.infer<typeof ContainerRequest>;

/** A browser task. Its options are read by the browser lane. */
export const BrowserRequest = z.strictObject({
  lane: LaneChoice.default("auto"),
  action: z.enum([
    "screenshot",
    "pdf",
    "content",
    "markdown",
    "scrape",
    "links",
    "accessibility",
    "steps",
  ]),
  url: z
    .url({ protocol: /^https?$/ })
    .max(2048)
    .optional(),
  html: z.string().optional(),
  options: z.record(z.string(), z.unknown()).default({}),
  steps: z.array(z.record(z.string(), z.unknown())).max(200).optional(),
  limits: z.strictObject({ wallMs: wholeNumber.optional() }).default({}),
});
export type BrowserRequest = z.infer<typeof BrowserRequest>;
