import { z } from "zod";

import { type NamedSecret, parseSecretList } from "../protocol/api-key.ts";
import { RENEWED_WITHIN_MS } from "../protocol/container-api.ts";
import { NET_PERMISSIONS_MAX, NetPermission } from "../protocol/net-permission.ts";
import { Isolation } from "../protocol/sandbox-api.ts";

const MIB = 1024 * 1024;

/** A whole number as text or number. `z.coerce` would take an empty text for 0. */
const wholeNumber = (min: number, max: number) =>
  z
    .union([z.string(), z.number()], { error: "must be a whole number" })
    .transform(String)
    .pipe(z.string().regex(/^[0-9]{1,15}$/, { error: "must be a whole number" }))
    .transform(Number)
    .pipe(
      z
        .number()
        .min(min, { error: `must be at least ${min}` })
        .max(max, { error: `must be at most ${max}` }),
    );

/** As `value`; an empty text is none. */
const optional = <T extends z.ZodType>(value: T) =>
  z.preprocess((text) => (text === "" ? undefined : text), value.optional()).optional();

/** As `wholeNumber`; an empty text is none. */
const optionalNumber = (min: number, max: number) => optional(wholeNumber(min, max));

/** A Docker limit: as `value` reads it, null where an empty text removes it. */
const dockerLimit = (value: z.ZodType<number>, initial: number | null) =>
  z.preprocess((text) => (text === "" ? null : text), value.nullable()).default(initial);

const cores = z
  .union([z.string(), z.number()], { error: "must be a number of cores" })
  .transform(String)
  .pipe(z.string().regex(/^[0-9]{1,4}(?:\.[0-9]{1,3})?$/, { error: "must be a number of cores" }))
  .transform(Number)
  .pipe(
    z
      .number()
      .min(0.01, { error: "must be at least 0.01" })
      .max(1024, { error: "must be at most 1024" }),
  );

const MEMORY_UNIT_BYTES = { b: 1, k: 1024, m: MIB, g: 1024 * MIB } as const;

/** Memory as Docker writes it (`512m`, `2g`, plain bytes), in MB. */
const dockerMemory = z
  .union([z.string(), z.number()], { error: "must be a size like 512m or 2g" })
  .transform(String)
  .pipe(z.string().regex(/^[0-9]{1,15}[bkmg]?$/i, { error: "must be a size like 512m or 2g" }))
  .transform((text) => {
    const unit = text.at(-1)?.toLowerCase() ?? "b";
    const bytes = isMemoryUnit(unit) ? MEMORY_UNIT_BYTES[unit] : 1;
    return Math.floor((Number.parseInt(text, 10) * bytes) / MIB);
  })
  .pipe(
    z
      .number()
      .min(16, { error: "must be at least 16m" })
      .max(1_048_576, { error: "must be at most 1024g" }),
  );

const isMemoryUnit = (text: string): text is keyof typeof MEMORY_UNIT_BYTES =>
  text in MEMORY_UNIT_BYTES;

const mode = z.enum(Isolation.options, { error: 'each must be "run", "tenant" or "warm"' });

const list = z.string({ error: "must be a comma-separated list" }).transform((text) =>
  text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== ""),
);

/** "none", or the hosts that may be granted at most. */
const network = list
  .transform((entries) => (entries.length === 1 && entries[0] === "none" ? [] : entries))
  .pipe(z.array(NetPermission).max(NET_PERMISSIONS_MAX));

const imagePattern = z.string().regex(/^[a-zA-Z0-9*?._/:@-]{1,512}$/, {
  error: "each must be an image, with * for any part of a name and ** for any path",
});

const origin = z.string().refine((text) => URL.canParse(text) && new URL(text).origin === text, {
  error: 'each must be an origin like "https://app.example.com"',
});

const httpUrl = z.string().refine((text) => /^https?:\/\//.test(text) && URL.canParse(text), {
  error: "must be a URL with http or https",
});

const secretList = (variable: string) =>
  z.string({ error: "is missing" }).transform((text, context): readonly NamedSecret[] => {
    try {
      return parseSecretList(variable, text);
    } catch (error) {
      const message = error instanceof TypeError ? error.message : "cannot be read";
      context.addIssue({ code: "custom", message: message.replace(/^Cannot read [A-Z_]+: /, "") });
      return z.NEVER;
    }
  });

/** An executor kills a run that was not renewed for 45 s: a lease must outlast that. */
const LEASE_MS_MIN = RENEWED_WITHIN_MS + 5_000;

const DAY_MS = 24 * 60 * 60 * 1000;

/** Floors are those of `ISOLATE_LIMITS`; ceilings only keep a slip of the keyboard out. */
const isolateLimit = {
  ISOLATE_MEMORY_MB: wholeNumber(16, 65_536).default(64),
  ISOLATE_WALL_MS: wholeNumber(10, 3_600_000).default(5_000),
  ISOLATE_CPU_MS: wholeNumber(1, 3_600_000).default(1_000),
  ISOLATE_OUTPUT_BYTES: wholeNumber(1, 32 * MIB).default(MIB),
  ISOLATE_MEMORY_MB_MAX: optionalNumber(16, 65_536),
  ISOLATE_WALL_MS_MAX: optionalNumber(10, 3_600_000),
  ISOLATE_CPU_MS_MAX: optionalNumber(1, 3_600_000),
  ISOLATE_OUTPUT_BYTES_MAX: optionalNumber(1, 32 * MIB),
};

/** Floors are those of `CONTAINER_LIMITS`. */
const containerLimit = {
  CONTAINER_WALL_MS: wholeNumber(10, 7 * DAY_MS).default(300_000),
  CONTAINER_CPU_MS: dockerLimit(wholeNumber(1, 1e12), null),
  DOCKER_MEMORY_LIMIT: dockerLimit(dockerMemory, 2_048),
  CONTAINER_OUTPUT_BYTES: wholeNumber(1, 1024 * MIB).default(16 * MIB),
  DOCKER_CPU_LIMIT: dockerLimit(cores, 1),
  DOCKER_PIDS_LIMIT: dockerLimit(wholeNumber(8, 4_194_304), 1_000),
  CONTAINER_DISK_MB: wholeNumber(1, 1_048_576).default(1_024),
  CONTAINER_WALL_MS_MAX: optional(wholeNumber(10, 7 * DAY_MS)),
  CONTAINER_CPU_MS_MAX: optional(wholeNumber(1, 1e12)),
  DOCKER_MEMORY_LIMIT_MAX: optional(dockerMemory),
  CONTAINER_OUTPUT_BYTES_MAX: optional(wholeNumber(1, 1024 * MIB)),
  DOCKER_CPU_LIMIT_MAX: optional(cores),
  DOCKER_PIDS_LIMIT_MAX: optional(wholeNumber(8, 4_194_304)),
  CONTAINER_DISK_MB_MAX: optional(wholeNumber(1, 1_048_576)),
};

/** Every variable and secret of the Worker, each by itself; `wrangler.toml` says what each is for. */
export const Variables = z.object({
  RATE_LIMIT_REQUESTS: wholeNumber(1, 1_000_000).default(600),
  RATE_LIMIT_WINDOW_S: wholeNumber(1, 86_400).default(60),
  RATE_LIMIT_BURST: wholeNumber(1, 1_000_000).default(100),
  RATE_LIMIT_WEIGHT_ISOLATE: wholeNumber(1, 1_000).default(1),
  RATE_LIMIT_WEIGHT_BROWSER: wholeNumber(1, 1_000).default(5),
  RATE_LIMIT_WEIGHT_CONTAINER: wholeNumber(1, 1_000).default(5),
  TENANT_MAX_CONCURRENT: wholeNumber(0, 100_000).default(32),
  QUOTA_RUNS_PER_DAY: optionalNumber(0, 1e12),
  QUOTA_CPU_MS_PER_DAY: optionalNumber(0, 1e15 - 1),
  LEASE_MS: wholeNumber(LEASE_MS_MIN, DAY_MS).default(60_000),
  ...isolateLimit,
  ISOLATE_SOURCE_BYTES: wholeNumber(1, 16 * MIB).default(MIB),
  ISOLATE_INPUT_BYTES: wholeNumber(1, 16 * MIB).default(MIB),
  ISOLATE_RESULT_BYTES: wholeNumber(1, 16 * MIB).default(MIB),
  ISOLATE_FETCHES: wholeNumber(0, 100_000).default(50),
  ISOLATE_FETCH_MS: wholeNumber(1, 3_600_000).default(10_000),
  ISOLATE_FETCH_BYTES: wholeNumber(0, 1024 * MIB).default(8 * MIB),
  ISOLATE_PENDING_OPS: wholeNumber(1, 1_000_000).default(1_000),
  ISOLATION_MODES: list
    .pipe(
      z.array(mode).min(1, {
        error: "must name at least one mode",
      }),
    )
    .default(["run", "tenant", "warm"]),
  ...containerLimit,
  CONTAINER_OUTPUT_FILE_BYTES: wholeNumber(1, 1024 * MIB).default(64 * MIB),
  CONTAINER_ARTIFACT_FILES: wholeNumber(0, 100_000).default(1_000),
  CONTAINER_ARTIFACT_BYTES: wholeNumber(0, 16 * 1024 * MIB).default(256 * MIB),
  CONTAINER_SOURCE_BYTES: wholeNumber(1, 16 * MIB).default(MIB),
  CONTAINER_FILES_BYTES: wholeNumber(1, 64 * MIB).default(4 * MIB),
  CONTAINER_NETWORK: network.default([]),
  ALLOWED_IMAGES: list.pipe(z.array(imagePattern).max(100)).default([]),
  RUN_WAIT_MAX_MS: wholeNumber(1, 3_600_000).default(90_000),
  SANDBOX_URLS: list.pipe(
    z.array(httpUrl).min(1, { error: "must name at least one sandbox-worker" }),
  ),
  CONTAINER_URLS: list.pipe(z.array(httpUrl)).default([]),
  MAX_CONCURRENT_CONTAINERS: wholeNumber(0, 100_000).default(2),
  MAX_CONCURRENT_ISOLATE_JOBS: wholeNumber(0, 100_000).default(16),
  ADAPTIVE_CONCURRENCY: z
    .enum(["true", "false"], { error: 'must be "true" or "false"' })
    .default("false"),
  QUEUE_TIMEOUT_MS: wholeNumber(1, 30 * DAY_MS).default(300_000),
  QUEUE_MAX_PER_TENANT: wholeNumber(1, 100_000).default(1_000),
  JOB_RETENTION_MS: wholeNumber(1_000, 3_650 * DAY_MS).default(7 * DAY_MS),
  JOB_RETENTION_MAX: wholeNumber(1, 1_000_000).default(10_000),
  JOB_EVENTS_MAX_BYTES: wholeNumber(64 * 1024, 1024 * MIB).default(32 * MIB),
  WEBHOOK_SECRET: optional(secretList("WEBHOOK_SECRET")),
  WEBHOOK_TIMEOUT_MS: wholeNumber(100, 60_000).default(10_000),
  WEBHOOK_ALLOW_PRIVATE_HOSTS: list.default([]),
  EGRESS_PROXY_URL: optional(httpUrl),
  EXECUTOR_TIMEOUT_MS: wholeNumber(100, DAY_MS).default(300_000),
  BODY_MAX_BYTES: wholeNumber(1_024, 64 * MIB).default(4 * MIB),
  POLICY_FAIL_OPEN: z
    .enum(["true", "false"], { error: 'must be "true" or "false"' })
    .default("false"),
  CORS_ORIGINS: list.pipe(z.array(origin)).default([]),
  LOG_REQUESTS: z.enum(["on", "off"], { error: 'must be "on" or "off"' }).default("on"),
  JWKS_URL: z.literal("").or(httpUrl).default(""),
  JWT_ISSUER: z.string().default(""),
  JWT_AUDIENCE: z.string().default(""),
  JWT_TENANT_CLAIM: z.string().default("tenant"),
  KEY_SIGNING_SECRET: secretList("KEY_SIGNING_SECRET"),
  EXECUTOR_SECRET: secretList("EXECUTOR_SECRET"),
  ADMIN_TOKEN: z
    .string({ error: "is missing" })
    .min(32, { error: "must have at least 32 characters" }),
});
export type Variables = z.infer<typeof Variables>;
