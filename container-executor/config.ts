import { resolve } from "node:path";

import { z } from "zod";

import { parseSecretList } from "../protocol/api-key.ts";
import type { NamedSecret } from "../protocol/api-key.ts";
import { parseNetPattern } from "../protocol/net-permission.ts";
import type { NetPattern } from "../protocol/net-permission.ts";
import { DEFAULT_DOCKER_HOST, readEngineAddress } from "./engine/engine-address.ts";
import type { EngineAddress } from "./engine/engine-address.ts";

const MIB = 1024 * 1024;

/** Past this Node's own timers overflow, and fire at once. */
const WALL_MS_CEILING = 24 * 60 * 60 * 1000;

/** The most an order may ask for here, whatever the gateway allows; null where this executor says nothing. */
export interface Ceilings {
  readonly wallMs: number;
  readonly cpuMs: number | null;
  readonly memoryMb: number | null;
  readonly cpus: number | null;
  readonly pids: number | null;
  readonly diskMb: number;
  readonly outputBytes: number;
  readonly outputFileBytes: number;
  readonly artifactFiles: number;
  readonly artifactBytes: number;
}

/** What spares are made with: the limits that most orders have. null removes a limit. */
interface SpareClassLimits {
  readonly cpus: number | null;
  readonly memoryMb: number | null;
  readonly pids: number | null;
  readonly diskMb: number;
}

/** From which share of its own limit on, in percent, a container's use is worth a warning, or critical. */
export interface Threshold {
  readonly warnPercent: number;
  readonly critPercent: number;
}

export interface MonitorThresholds {
  readonly cpu: Threshold;
  readonly memory: Threshold;
  readonly pids: Threshold;
}

export interface SparePolicy {
  /** Kept ready per runtime image, and the most that demand raises that to. 0 keeps none. */
  readonly perImage: number;
  readonly perImageMax: number;
}

export interface ContainerConfig {
  readonly host: string;
  readonly port: number;
  /** The first signs, all verify. */
  readonly secrets: readonly NamedSecret[];
  readonly bodyMaxBytes: number;
  readonly drainTimeoutMs: number;
  /** The journal, and what runs left; the executor's id, too. */
  readonly stateFolder: string;
  readonly engine: EngineAddress;
  /** null is the engine's own default. */
  readonly runtime: string | null;
  readonly spareLimits: SpareClassLimits;
  readonly spares: SparePolicy;
  readonly ceilings: Ceilings;
  /** References, or globs of them, that orders may name besides the runtimes. */
  readonly allowedImages: readonly string[];
  /** Hosts within which orders may be granted a network; empty is none at all. */
  readonly network: readonly NetPattern[];
  /** `host` or `host:port` that runs may reach although private: for development and tests. */
  readonly allowPrivateHosts: readonly string[];
  /** 0 is unlimited. */
  readonly maxConcurrent: number;
  readonly monitor: MonitorThresholds;
}

const whole = (min: number, max: number) => z.coerce.number().int().min(min).max(max);
const percent = z.coerce.number().positive().max(100);

const list = z
  .string()
  .default("")
  .transform((text) =>
    text
      .split(",")
      .map((part) => part.trim())
      .filter((part) => part !== ""),
  );

const SIZE = /^([0-9]+(?:\.[0-9]+)?)([bkmg]?)$/i;
const UNIT_BYTES: Readonly<Record<string, number>> = { b: 1, k: 1024, m: MIB, g: 1024 * MIB };

/** A size as the engine's own command takes it (`512m`, `2g`; a bare number is bytes), as whole MB. */
const sizeMb = z.string().transform((text, context) => {
  const [, amount, unit = ""] = SIZE.exec(text) ?? [];
  const bytes = Number(amount) * (UNIT_BYTES[unit.toLowerCase() || "b"] ?? Number.NaN);
  if (bytes >= 16 * MIB) return Math.floor(bytes / MIB);
  context.addIssue({ code: "custom", message: "must be a size of at least 16m, as 512m or 2g" });
  return z.NEVER;
});

/** As the gateway's variable of the same name: `none`, `*`, or hosts. */
const hosts = list.transform((entries, context): readonly NetPattern[] => {
  if (entries.length === 1 && entries[0] === "none") return [];
  const patterns = entries.flatMap((entry) => parseNetPattern(entry) ?? []);
  if (patterns.length === entries.length) return patterns;
  context.addIssue({ code: "custom", message: 'must be "none", "*", or hosts, comma-separated' });
  return z.NEVER;
});

/** Variables whose emptiness says something: a limit that is removed. */
const REMOVABLE = ["DOCKER_CPU_LIMIT", "DOCKER_MEMORY_LIMIT", "DOCKER_PIDS_LIMIT"] as const;

const SCHEMA = z.object({
  HOST: z.string().min(1).default("127.0.0.1"),
  /** 0 takes a free one. */
  PORT: whole(0, 65_535).default(8789),
  EXECUTOR_SECRET: z.string({ error: "must be set" }).min(1),
  /** The gateway's own bound on a request, and files in base64. */
  CONTAINER_BODY_MAX_BYTES: whole(1024, 256 * MIB).default(64 * MIB),
  CONTAINER_STATE_DIR: z.string().min(1).default(".bulkhead/container-executor"),
  DOCKER_HOST: z.string().min(1).default(DEFAULT_DOCKER_HOST),
  DOCKER_TLS_VERIFY: z.string().optional(),
  DOCKER_CERT_PATH: z.string().optional(),
  DOCKER_RUNTIME: z.string().min(1).optional(),
  DOCKER_CPU_LIMIT: z.coerce.number().positive().max(1024).default(1),
  DOCKER_MEMORY_LIMIT: sizeMb.default(2048),
  DOCKER_PIDS_LIMIT: whole(8, 4_000_000).default(1000),
  CONTAINER_DISK_MB: whole(1, 1_000_000).default(1024),
  CONTAINER_SPARES: whole(0, 64).default(2),
  CONTAINER_SPARES_MAX: whole(0, 64).default(6),
  ALLOWED_IMAGES: list,
  CONTAINER_NETWORK: hosts,
  EGRESS_ALLOW_PRIVATE_HOSTS: list,
  MAX_CONCURRENT_CONTAINERS: whole(0, 10_000).default(2),
  DRAIN_TIMEOUT_MS: whole(0, 3_600_000).default(30_000),
  CONTAINER_WALL_MS_MAX: whole(10, WALL_MS_CEILING).default(WALL_MS_CEILING),
  CONTAINER_CPU_MS_MAX: whole(1, Number.MAX_SAFE_INTEGER).optional(),
  DOCKER_MEMORY_LIMIT_MAX: sizeMb.optional(),
  DOCKER_CPU_LIMIT_MAX: z.coerce.number().positive().optional(),
  DOCKER_PIDS_LIMIT_MAX: whole(8, 4_000_000).optional(),
  CONTAINER_DISK_MB_MAX: whole(1, 1_000_000).default(8192),
  CONTAINER_OUTPUT_BYTES_MAX: whole(0, 1024 * MIB).default(64 * MIB),
  CONTAINER_OUTPUT_FILE_BYTES_MAX: whole(0, 1024 * 1024 * MIB).default(1024 * MIB),
  CONTAINER_ARTIFACT_FILES_MAX: whole(0, 100_000).default(10_000),
  CONTAINER_ARTIFACT_BYTES_MAX: whole(0, 1024 * 1024 * MIB).default(8192 * MIB),
  CONTAINER_WARN_CPU_PERCENT: percent.default(80),
  CONTAINER_CRIT_CPU_PERCENT: percent.default(95),
  CONTAINER_WARN_MEMORY_PERCENT: percent.default(80),
  CONTAINER_CRIT_MEMORY_PERCENT: percent.default(95),
  CONTAINER_WARN_PIDS_PERCENT: percent.default(80),
  CONTAINER_CRIT_PIDS_PERCENT: percent.default(95),
});

type Settings = z.infer<typeof SCHEMA>;

/**
 * Reads the service's environment. An empty variable is one that is not set, but for the engine's
 * three limits (`DOCKER_CPU_LIMIT`, `DOCKER_MEMORY_LIMIT`, `DOCKER_PIDS_LIMIT`), which it removes.
 *
 * @throws {TypeError} Naming every variable that cannot be read and why, never its value.
 */
export function readConfig(env: Readonly<Record<string, string | undefined>>): ContainerConfig {
  const set = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ""));
  const parsed = SCHEMA.safeParse(set);
  const problems = parsed.success
    ? levelProblems(parsed.data)
    : parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
  const attempt = <T>(read: () => T): T | undefined => {
    try {
      return read();
    } catch (error) {
      problems.push(error instanceof Error ? error.message : String(error));
      return undefined;
    }
  };
  const secret = set["EXECUTOR_SECRET"];
  const secrets =
    secret === undefined ? [] : attempt(() => parseSecretList("EXECUTOR_SECRET", secret));
  const engine = attempt(() =>
    readEngineAddress(set["DOCKER_HOST"] ?? DEFAULT_DOCKER_HOST, {
      verify: set["DOCKER_TLS_VERIFY"] !== undefined,
      certPath: set["DOCKER_CERT_PATH"],
    }),
  );
  if (!parsed.success || problems.length > 0 || secrets === undefined || engine === undefined) {
    throw new TypeError(`Cannot read configuration: ${problems.join("; ")}`);
  }
  const v = parsed.data;
  const [cpus, memoryMb, pids] = REMOVABLE.map((name) => (env[name] === "" ? null : v[name]));
  return {
    host: v.HOST,
    port: v.PORT,
    secrets,
    bodyMaxBytes: v.CONTAINER_BODY_MAX_BYTES,
    drainTimeoutMs: v.DRAIN_TIMEOUT_MS,
    stateFolder: resolve(v.CONTAINER_STATE_DIR),
    engine,
    runtime: v.DOCKER_RUNTIME ?? null,
    spareLimits: {
      cpus: cpus ?? null,
      memoryMb: memoryMb ?? null,
      pids: pids ?? null,
      diskMb: v.CONTAINER_DISK_MB,
    },
    spares: {
      perImage: v.CONTAINER_SPARES,
      perImageMax: Math.max(v.CONTAINER_SPARES, v.CONTAINER_SPARES_MAX),
    },
    ceilings: {
      wallMs: v.CONTAINER_WALL_MS_MAX,
      cpuMs: v.CONTAINER_CPU_MS_MAX ?? null,
      memoryMb: v.DOCKER_MEMORY_LIMIT_MAX ?? null,
      cpus: v.DOCKER_CPU_LIMIT_MAX ?? null,
      pids: v.DOCKER_PIDS_LIMIT_MAX ?? null,
      diskMb: v.CONTAINER_DISK_MB_MAX,
      outputBytes: v.CONTAINER_OUTPUT_BYTES_MAX,
      outputFileBytes: v.CONTAINER_OUTPUT_FILE_BYTES_MAX,
      artifactFiles: v.CONTAINER_ARTIFACT_FILES_MAX,
      artifactBytes: v.CONTAINER_ARTIFACT_BYTES_MAX,
    },
    allowedImages: v.ALLOWED_IMAGES,
    network: v.CONTAINER_NETWORK,
    allowPrivateHosts: v.EGRESS_ALLOW_PRIVATE_HOSTS,
    maxConcurrent: v.MAX_CONCURRENT_CONTAINERS,
    monitor: {
      cpu: threshold(v.CONTAINER_WARN_CPU_PERCENT, v.CONTAINER_CRIT_CPU_PERCENT),
      memory: threshold(v.CONTAINER_WARN_MEMORY_PERCENT, v.CONTAINER_CRIT_MEMORY_PERCENT),
      pids: threshold(v.CONTAINER_WARN_PIDS_PERCENT, v.CONTAINER_CRIT_PIDS_PERCENT),
    },
  };
}

const threshold = (warnPercent: number, critPercent: number): Threshold => ({
  warnPercent,
  critPercent,
});

function levelProblems(v: Settings): string[] {
  return (["CPU", "MEMORY", "PIDS"] as const).flatMap((name) =>
    v[`CONTAINER_WARN_${name}_PERCENT`] > v[`CONTAINER_CRIT_${name}_PERCENT`]
      ? [`CONTAINER_WARN_${name}_PERCENT: must not be above CONTAINER_CRIT_${name}_PERCENT`]
      : [],
  );
}
