import { z } from "zod";

import { type NamedSecret, parseSecretList } from "../protocol/api-key.ts";
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

/** As `wholeNumber`; an empty text is none. */
const optionalNumber = (min: number, max: number) =>
  z
    .preprocess((value) => (value === "" ? undefined : value), wholeNumber(min, max).optional())
    .optional();

const mode = z.enum(Isolation.options, { error: 'each must be "run", "tenant" or "warm"' });

const list = z.string({ error: "must be a comma-separated list" }).transform((text) =>
  text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== ""),
);

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
  LEASE_MS: wholeNumber(1_000, DAY_MS).default(60_000),
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
  SANDBOX_URLS: list.pipe(
    z.array(httpUrl).min(1, { error: "must name at least one sandbox-worker" }),
  ),
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
