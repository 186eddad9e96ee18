import { z } from "zod";

import { type NamedSecret, parseSecretList } from "../protocol/api-key.ts";
import { ISOLATE_LIMITS, type LimitName } from "../protocol/limits.ts";
import type { Lane } from "../protocol/outcome.ts";
import { Isolation, type RunCaps } from "../protocol/sandbox-api.ts";

/** A rate in the long run, and how much of it may come at once. */
export interface RatePolicy {
  readonly requests: number;
  readonly windowS: number;
  readonly burst: number;
}

/** What a tenant may use in a UTC day; undefined is unlimited. */
export interface QuotaPolicy {
  readonly runsPerDay: number | undefined;
  readonly cpuMsPerDay: number | undefined;
}

/** A limit's default and the most a request may ask for, with the variables that set them. */
export interface ConfiguredLimit {
  readonly default: number;
  readonly maximum: number;
  readonly setBy: string;
  readonly maximumSetBy: string;
}

/** Caps of an isolate run that no request may change. */
export type FixedCaps = Pick<
  RunCaps,
  "resultBytes" | "fetches" | "fetchMs" | "fetchBytes" | "pendingOps"
>;

export interface JwtConfig {
  readonly jwksUrl: string;
  readonly issuer: string;
  readonly audience: string;
  readonly tenantClaim: string;
}

export interface Config {
  readonly rateLimit: RatePolicy;
  readonly laneWeights: Readonly<Record<Lane, number>>;
  /** 0 is unlimited. */
  readonly tenantMaxConcurrent: number;
  readonly quota: QuotaPolicy;
  readonly leaseMs: number;
  readonly isolate: {
    readonly limits: Readonly<Record<LimitName, ConfiguredLimit>>;
    readonly caps: FixedCaps;
    readonly sourceBytes: number;
    readonly inputBytes: number;
    readonly modes: readonly Isolation[];
  };
  readonly sandboxUrls: readonly string[];
  readonly executorTimeoutMs: number;
  readonly bodyMaxBytes: number;
  readonly failOpen: boolean;
  readonly corsOrigins: readonly string[];
  readonly logRequests: boolean;
  readonly jwt: JwtConfig | undefined;
  readonly keySigningSecrets: readonly NamedSecret[];
  readonly executorSecrets: readonly NamedSecret[];
  readonly adminToken: string;
}

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

/** Every variable and secret; `wrangler.toml` says what each is for. */
const Variables = z.object({
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
type Variables = z.infer<typeof Variables>;

/**
 * Reads the Worker's variables and secrets.
 *
 * @throws {TypeError} Naming every variable that cannot be read and why, never a value.
 */
export function readConfig(variables: object): Config {
  const parsed = Variables.safeParse(variables);
  if (!parsed.success) {
    throw unreadable(
      parsed.error.issues.map(({ path, message }) => `${String(path[0])} ${message}`),
    );
  }
  const v = parsed.data;
  const contradictions = findContradictions(v);
  if (contradictions.length > 0) throw unreadable(contradictions);
  return {
    rateLimit: {
      requests: v.RATE_LIMIT_REQUESTS,
      windowS: v.RATE_LIMIT_WINDOW_S,
      burst: v.RATE_LIMIT_BURST,
    },
    laneWeights: {
      isolate: v.RATE_LIMIT_WEIGHT_ISOLATE,
      browser: v.RATE_LIMIT_WEIGHT_BROWSER,
      container: v.RATE_LIMIT_WEIGHT_CONTAINER,
    },
    tenantMaxConcurrent: v.TENANT_MAX_CONCURRENT,
    quota: { runsPerDay: v.QUOTA_RUNS_PER_DAY, cpuMsPerDay: v.QUOTA_CPU_MS_PER_DAY },
    leaseMs: v.LEASE_MS,
    isolate: {
      limits: {
        wallMs: configuredLimit(v, "wallMs"),
        cpuMs: configuredLimit(v, "cpuMs"),
        memoryMb: configuredLimit(v, "memoryMb"),
        outputBytes: configuredLimit(v, "outputBytes"),
      },
      caps: {
        resultBytes: v.ISOLATE_RESULT_BYTES,
        fetches: v.ISOLATE_FETCHES,
        fetchMs: v.ISOLATE_FETCH_MS,
        fetchBytes: v.ISOLATE_FETCH_BYTES,
        pendingOps: v.ISOLATE_PENDING_OPS,
      },
      sourceBytes: v.ISOLATE_SOURCE_BYTES,
      inputBytes: v.ISOLATE_INPUT_BYTES,
      modes: v.ISOLATION_MODES,
    },
    sandboxUrls: v.SANDBOX_URLS.map((url) => url.replace(/\/+$/, "")),
    executorTimeoutMs: v.EXECUTOR_TIMEOUT_MS,
    bodyMaxBytes: v.BODY_MAX_BYTES,
    failOpen: v.POLICY_FAIL_OPEN === "true",
    corsOrigins: v.CORS_ORIGINS,
    logRequests: v.LOG_REQUESTS === "on",
    jwt:
      v.JWKS_URL === ""
        ? undefined
        : {
            jwksUrl: v.JWKS_URL,
            issuer: v.JWT_ISSUER,
            audience: v.JWT_AUDIENCE,
            tenantClaim: v.JWT_TENANT_CLAIM,
          },
    keySigningSecrets: v.KEY_SIGNING_SECRET,
    executorSecrets: v.EXECUTOR_SECRET,
    adminToken: v.ADMIN_TOKEN,
  };
}

const configs = new WeakMap<object, Config>();

/**
 * As `readConfig`, once for each set of bindings.
 *
 * @throws {TypeError} As `readConfig`.
 */
export function configOf(env: object): Config {
  const known = configs.get(env);
  if (known !== undefined) return known;
  const config = readConfig(env);
  configs.set(env, config);
  return config;
}

function unreadable(problems: readonly string[]): TypeError {
  return new TypeError(`Cannot read the configuration: ${problems.join("; ")}`);
}

const LIMIT_VARIABLES = {
  wallMs: "ISOLATE_WALL_MS",
  cpuMs: "ISOLATE_CPU_MS",
  memoryMb: "ISOLATE_MEMORY_MB",
  outputBytes: "ISOLATE_OUTPUT_BYTES",
} as const satisfies Record<LimitName, string>;

function configuredLimit(v: Variables, name: LimitName): ConfiguredLimit {
  const variable = LIMIT_VARIABLES[name];
  const value = v[variable];
  const most = v[`${variable}_MAX` as const];
  return {
    default: value,
    maximum: most ?? value,
    setBy: variable,
    maximumSetBy: most === undefined ? variable : `${variable}_MAX`,
  };
}

/** Values that are each readable and cannot hold together. */
function findContradictions(v: Variables): readonly string[] {
  const found: string[] = [];
  for (const { name, variable } of ISOLATE_LIMITS) {
    const limit = configuredLimit(v, name);
    if (limit.maximum < limit.default) found.push(`${variable}_MAX must be at least ${variable}`);
  }
  for (const lane of ["ISOLATE", "BROWSER", "CONTAINER"] as const) {
    if (v[`RATE_LIMIT_WEIGHT_${lane}`] > v.RATE_LIMIT_BURST) {
      found.push(`RATE_LIMIT_BURST must be at least RATE_LIMIT_WEIGHT_${lane}`);
    }
  }
  if (v.JWKS_URL !== "") {
    for (const name of ["JWT_ISSUER", "JWT_AUDIENCE", "JWT_TENANT_CLAIM"] as const) {
      if (v[name] === "") found.push(`${name} is missing, and JWKS_URL is set`);
    }
  }
  return found;
}
