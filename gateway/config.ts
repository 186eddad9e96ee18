import type { NamedSecret } from "../protocol/api-key.ts";
import type { ContainerCaps } from "../protocol/container-api.ts";
import {
  type ContainerLimitName,
  type ContainerLimitValues,
  ISOLATE_LIMITS,
  type IsolateLimitName,
} from "../protocol/limits.ts";
import type { Lane } from "../protocol/outcome.ts";
import type { Isolation, RunCaps } from "../protocol/sandbox-api.ts";
import { Variables } from "./variables.ts";

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

/** A limit's default and the most a request may ask for, with the variables that set them; null is unlimited. */
export interface ConfiguredLimit<Value extends number | null = number> {
  readonly default: Value;
  readonly maximum: Value;
  readonly setBy: string;
  readonly maximumSetBy: string;
}

/** Caps of an isolate run that no request may change. */
type FixedCaps = Pick<RunCaps, "resultBytes" | "fetches" | "fetchMs" | "fetchBytes" | "pendingOps">;

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
    readonly limits: Readonly<Record<IsolateLimitName, ConfiguredLimit>>;
    readonly caps: FixedCaps;
    readonly sourceBytes: number;
    readonly inputBytes: number;
    readonly modes: readonly Isolation[];
  };
  readonly container: {
    readonly limits: {
      readonly [name in ContainerLimitName]: ConfiguredLimit<ContainerLimitValues[name]>;
    };
    readonly caps: Pick<ContainerCaps, "outputFileBytes" | "artifactFiles" | "artifactBytes">;
    readonly sourceBytes: number;
    /** Of the files that a request carries itself, together. */
    readonly filesBytes: number;
    /** The most that `permissions.net` may name there; empty is no network. */
    readonly network: readonly string[];
    /** Globs of images beside the runtimes' own. */
    readonly allowedImages: readonly string[];
  };
  /** Longest that an answer to a run waits for its job, in milliseconds. */
  readonly runWaitMaxMs: number;
  readonly queue: {
    /** Longest wait for a slot from when a job could start. */
    readonly timeoutMs: number;
    readonly maxPerTenant: number;
    /** How long jobs that are over are kept, and the most of them. */
    readonly retentionMs: number;
    readonly retentionMax: number;
    /** Slots of one executor by lane; 0 is unlimited. */
    readonly slots: { readonly container: number; readonly isolate: number };
    /** Whether executors' own recommendation replaces `slots`. */
    readonly adaptive: boolean;
  };
  readonly sandboxUrls: readonly string[];
  /** None is a lane that is off. */
  readonly containerUrls: readonly string[];
  readonly executorTimeoutMs: number;
  readonly bodyMaxBytes: number;
  readonly failOpen: boolean;
  readonly corsOrigins: readonly string[];
  readonly logRequests: boolean;
  readonly jwt: JwtConfig | undefined;
  readonly keySigningSecrets: readonly NamedSecret[];
  readonly executorSecrets: readonly NamedSecret[];
  readonly adminToken: string;
  /** Of one job's event log; what is over is dropped, oldest first. */
  readonly jobEventsMaxBytes: number;
  readonly webhooks: {
    /** All sign; none where callbacks are not configured. */
    readonly secrets: readonly NamedSecret[];
    readonly timeoutMs: number;
    /** `host` or `host:port` that may be private: for development and tests. */
    readonly allowPrivateHosts: readonly string[];
  };
  /** By which webhooks leave; undefined where they leave directly. */
  readonly egressProxyUrl: string | undefined;
}

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
        wallMs: isolateLimit(v, "wallMs"),
        cpuMs: isolateLimit(v, "cpuMs"),
        memoryMb: isolateLimit(v, "memoryMb"),
        outputBytes: isolateLimit(v, "outputBytes"),
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
    container: {
      limits: containerLimits(v),
      caps: {
        outputFileBytes: v.CONTAINER_OUTPUT_FILE_BYTES,
        artifactFiles: v.CONTAINER_ARTIFACT_FILES,
        artifactBytes: v.CONTAINER_ARTIFACT_BYTES,
      },
      sourceBytes: v.CONTAINER_SOURCE_BYTES,
      filesBytes: v.CONTAINER_FILES_BYTES,
      network: v.CONTAINER_NETWORK,
      allowedImages: v.ALLOWED_IMAGES,
    },
    runWaitMaxMs: v.RUN_WAIT_MAX_MS,
    queue: {
      timeoutMs: v.QUEUE_TIMEOUT_MS,
      maxPerTenant: v.QUEUE_MAX_PER_TENANT,
      retentionMs: v.JOB_RETENTION_MS,
      retentionMax: v.JOB_RETENTION_MAX,
      slots: { container: v.MAX_CONCURRENT_CONTAINERS, isolate: v.MAX_CONCURRENT_ISOLATE_JOBS },
      adaptive: v.ADAPTIVE_CONCURRENCY === "true",
    },
    sandboxUrls: v.SANDBOX_URLS.map(withoutSlash),
    containerUrls: v.CONTAINER_URLS.map(withoutSlash),
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
    jobEventsMaxBytes: v.JOB_EVENTS_MAX_BYTES,
    webhooks: {
      secrets: v.WEBHOOK_SECRET ?? [],
      timeoutMs: v.WEBHOOK_TIMEOUT_MS,
      allowPrivateHosts: v.WEBHOOK_ALLOW_PRIVATE_HOSTS,
    },
    egressProxyUrl: v.EGRESS_PROXY_URL?.replace(/\/+$/, ""),
  };
}

const withoutSlash = (url: string): string => url.replace(/\/+$/, "");

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

const ISOLATE_VARIABLES = {
  wallMs: "ISOLATE_WALL_MS",
  cpuMs: "ISOLATE_CPU_MS",
  memoryMb: "ISOLATE_MEMORY_MB",
  outputBytes: "ISOLATE_OUTPUT_BYTES",
} as const satisfies Record<IsolateLimitName, string>;

const CONTAINER_VARIABLES = {
  wallMs: "CONTAINER_WALL_MS",
  outputBytes: "CONTAINER_OUTPUT_BYTES",
  diskMb: "CONTAINER_DISK_MB",
} as const satisfies { readonly [name in ContainerLimitName]?: string };

/** Their limits may be removed. */
const REMOVABLE_VARIABLES = {
  cpuMs: "CONTAINER_CPU_MS",
  memoryMb: "DOCKER_MEMORY_LIMIT",
  cpus: "DOCKER_CPU_LIMIT",
  pids: "DOCKER_PIDS_LIMIT",
} as const satisfies Record<Exclude<ContainerLimitName, keyof typeof CONTAINER_VARIABLES>, string>;

function isolateLimit(v: Variables, name: IsolateLimitName): ConfiguredLimit {
  const variable = ISOLATE_VARIABLES[name];
  return configuredLimit(variable, v[variable], v[`${variable}_MAX`]);
}

function containerLimit(v: Variables, name: keyof typeof CONTAINER_VARIABLES): ConfiguredLimit {
  const variable = CONTAINER_VARIABLES[name];
  return configuredLimit(variable, v[variable], v[`${variable}_MAX`]);
}

/** A limit that was removed has no maximum either, whatever is said of one. */
function removableLimit(
  v: Variables,
  name: keyof typeof REMOVABLE_VARIABLES,
): ConfiguredLimit<number | null> {
  const variable = REMOVABLE_VARIABLES[name];
  const value = v[variable];
  return configuredLimit(variable, value, value === null ? undefined : v[`${variable}_MAX`]);
}

const containerLimits = (v: Variables): Config["container"]["limits"] => ({
  wallMs: containerLimit(v, "wallMs"),
  cpuMs: removableLimit(v, "cpuMs"),
  memoryMb: removableLimit(v, "memoryMb"),
  outputBytes: containerLimit(v, "outputBytes"),
  cpus: removableLimit(v, "cpus"),
  pids: removableLimit(v, "pids"),
  diskMb: containerLimit(v, "diskMb"),
});

function configuredLimit<Value extends number | null>(
  variable: string,
  value: Value,
  most: Value | undefined,
): ConfiguredLimit<Value> {
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
  const limits = [
    ...ISOLATE_LIMITS.map(({ name }) => isolateLimit(v, name)),
    ...Object.values(containerLimits(v)),
  ];
  for (const { default: value, maximum, setBy, maximumSetBy } of limits) {
    if (value !== null && maximum !== null && maximum < value) {
      found.push(`${maximumSetBy} must be at least ${setBy}`);
    }
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
