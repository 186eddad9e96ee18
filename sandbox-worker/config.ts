import { readFileSync } from "node:fs";
import { availableParallelism, totalmem } from "node:os";

import { z } from "zod";

import { parseSecretList } from "../protocol/api-key.ts";
import type { NamedSecret } from "../protocol/api-key.ts";

const MIB = 1024 * 1024;

/** Past this Node's own timers overflow, and fire at once. */
const WALL_MS_CEILING = 24 * 60 * 60 * 1000;

/** A cage at the default memory limit: what it is itself, and three times the run's 64 MB. */
const USUAL_CAGE_BYTES = 252 * MIB;
const MAX_CAGES_DEFAULT = 64;
/** Gateways keep some connections each. */
const CONNECTIONS_MAX = 10_000;
const CONNECTIONS_MIN = 32;
/** The service's own files and those of fetches, and the pipes to one cage. */
const OWN_FILES = 96;
const FILES_PER_CAGE = 6;

/** Parts of this machine that the defaults depend on. */
export interface Machine {
  readonly cores: number;
  readonly memoryBytes: number;
  /** Files that this process may have open. */
  readonly openFiles: number;
}

export interface PoolPolicy {
  /** Booted cages kept ready for whoever comes. */
  readonly spares: number;
  readonly maxCages: number;
  /** Cages of one tenant up to which a run that finds all busy takes another at once. */
  readonly cores: number;
  /** How long a run waits before its tenant grows beyond that, while cores are idle. */
  readonly growAfterMs: number;
  /** Recycled after so many runs, so long, or so long without one. */
  readonly maxRuns: number;
  readonly maxAgeMs: number;
  readonly idleMs: number;
  readonly queueMax: number;
  readonly queuePerTenant: number;
  readonly queueMs: number;
}

/** The most an order may ask for here, whatever the gateway allows. */
export interface Ceilings {
  readonly wallMs: number;
  readonly cpuMs: number;
  readonly memoryMb: number;
  readonly outputBytes: number;
}

export interface SandboxConfig {
  readonly host: string;
  readonly port: number;
  /** The first signs, all verify. */
  readonly secrets: readonly NamedSecret[];
  readonly bodyMaxBytes: number;
  /** Connections above it are closed at once, so that files are left for cages. */
  readonly connectionsMax: number;
  readonly drainTimeoutMs: number;
  readonly pool: PoolPolicy;
  readonly ceilings: Ceilings;
  /** First of the user ids that cages live under, one each. */
  readonly uidBase: number;
  /** Whether to serve although a required wall is missing. */
  readonly allowReduced: boolean;
  /** `host` or `host:port` that fetches may reach although private: for development and tests. */
  readonly allowPrivateHosts: readonly string[];
}

const whole = (min: number, max: number) => z.coerce.number().int().min(min).max(max);

const list = z
  .string()
  .default("")
  .transform((text) => text.split(",").filter((part) => part !== ""));

function schema(machine: Machine) {
  const affordable = Math.min(
    Math.floor((machine.memoryBytes * 0.75) / USUAL_CAGE_BYTES),
    Math.floor((machine.openFiles - OWN_FILES - CONNECTIONS_MIN) / FILES_PER_CAGE),
  );
  return z.object({
    HOST: z.string().min(1).default("127.0.0.1"),
    /** 0 takes a free one. */
    PORT: whole(0, 65_535).default(8788),
    EXECUTOR_SECRET: z.string({ error: "must be set" }).min(1),
    /** Order and work together; the gateway's own bound on a request is half of it. */
    SANDBOX_BODY_MAX_BYTES: whole(1024, 64 * MIB).default(8 * MIB),
    SANDBOX_SPARES: whole(1, 256).default(2 * machine.cores),
    SANDBOX_MAX_CAGES: whole(1, 1024).default(Math.max(2, Math.min(MAX_CAGES_DEFAULT, affordable))),
    SANDBOX_QUEUE_MAX: whole(1, 100_000).default(256),
    SANDBOX_QUEUE_PER_TENANT: whole(1, 100_000).default(128),
    SANDBOX_QUEUE_MS: whole(10, 600_000).default(10_000),
    /**
     * A new cage costs 100 to 200 ms of CPU, as much as some hundred runs. It is the same tenant's
     * before and after: what this bounds is wear, which age and size bound, too.
     */
    CAGE_MAX_RUNS: whole(1, 1_000_000_000).default(10_000),
    CAGE_MAX_AGE_MS: whole(1000, WALL_MS_CEILING).default(600_000),
    CAGE_IDLE_MS: whole(100, WALL_MS_CEILING).default(60_000),
    CAGE_GROW_AFTER_MS: whole(0, 60_000).default(10),
    /** Above the ids that systems give to people and services. */
    CAGE_UID_BASE: whole(1000, 2_000_000_000).default(200_000),
    DRAIN_TIMEOUT_MS: whole(0, 3_600_000).default(30_000),
    SANDBOX_ALLOW_REDUCED: z.stringbool().default(false),
    EGRESS_ALLOW_PRIVATE_HOSTS: list,
    ISOLATE_WALL_MS_MAX: whole(10, WALL_MS_CEILING).default(WALL_MS_CEILING),
    ISOLATE_CPU_MS_MAX: whole(1, WALL_MS_CEILING).default(WALL_MS_CEILING),
    ISOLATE_MEMORY_MB_MAX: whole(16, 1_000_000).default(1024),
    ISOLATE_OUTPUT_BYTES_MAX: whole(1, 32 * MIB).default(16 * MIB),
  });
}

const thisMachine = (): Machine => ({
  cores: availableParallelism(),
  // 0 where no control group bounds this process.
  memoryBytes: Math.min(totalmem(), process.constrainedMemory() || Infinity),
  openFiles: openFilesMax(),
});

function openFilesMax(): number {
  try {
    const limits = readFileSync("/proc/self/limits", "utf8");
    return Number(/^Max open files\s+([0-9]+)/m.exec(limits)?.[1] ?? Infinity);
  } catch {
    // Not Linux: whoever starts it there sets the number of cages.
    return Infinity;
  }
}

/**
 * Reads the service's environment. An empty variable is one that is not set.
 *
 * @throws {TypeError} Naming every variable that cannot be read and why, never its value.
 */
export function readConfig(
  env: Readonly<Record<string, string | undefined>>,
  machine: Machine = thisMachine(),
): SandboxConfig {
  const set = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ""));
  const parsed = schema(machine).safeParse(set);
  const problems = parsed.success
    ? []
    : parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
  let secrets: readonly NamedSecret[] = [];
  try {
    if (set["EXECUTOR_SECRET"] !== undefined) {
      secrets = parseSecretList("EXECUTOR_SECRET", set["EXECUTOR_SECRET"]);
    }
  } catch (error) {
    problems.push(error instanceof Error ? error.message : String(error));
  }
  if (!parsed.success || problems.length > 0) {
    throw new TypeError(`Cannot read configuration: ${problems.join("; ")}`);
  }
  const v = parsed.data;
  return {
    host: v.HOST,
    port: v.PORT,
    secrets,
    bodyMaxBytes: v.SANDBOX_BODY_MAX_BYTES,
    connectionsMax: Math.max(
      CONNECTIONS_MIN,
      Math.min(
        CONNECTIONS_MAX,
        machine.openFiles - OWN_FILES - v.SANDBOX_MAX_CAGES * FILES_PER_CAGE,
      ),
    ),
    drainTimeoutMs: v.DRAIN_TIMEOUT_MS,
    pool: {
      spares: Math.min(v.SANDBOX_SPARES, v.SANDBOX_MAX_CAGES),
      maxCages: v.SANDBOX_MAX_CAGES,
      cores: machine.cores,
      growAfterMs: v.CAGE_GROW_AFTER_MS,
      maxRuns: v.CAGE_MAX_RUNS,
      maxAgeMs: v.CAGE_MAX_AGE_MS,
      idleMs: v.CAGE_IDLE_MS,
      queueMax: v.SANDBOX_QUEUE_MAX,
      queuePerTenant: v.SANDBOX_QUEUE_PER_TENANT,
      queueMs: v.SANDBOX_QUEUE_MS,
    },
    ceilings: {
      wallMs: v.ISOLATE_WALL_MS_MAX,
      cpuMs: v.ISOLATE_CPU_MS_MAX,
      memoryMb: v.ISOLATE_MEMORY_MB_MAX,
      outputBytes: v.ISOLATE_OUTPUT_BYTES_MAX,
    },
    uidBase: v.CAGE_UID_BASE,
    allowReduced: v.SANDBOX_ALLOW_REDUCED,
    allowPrivateHosts: v.EGRESS_ALLOW_PRIVATE_HOSTS,
  };
}
