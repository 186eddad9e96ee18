import type { ContainerCreateOptions, HostConfig } from "dockerode";

/** Nobody: owns nothing on the machine, and in every image the same number. */
export const JOB_UID = 65_534;
export const WORK_FOLDER = "/job";

const MIB = 1024 * 1024;

/** Programs write there by habit; it is memory as the work folder is. MB. */
const TEMP_MB = 64;
const SHM_MB = 1;
/** Files and folders in the work folder; each costs the kernel about a kilobyte. */
const WORK_INODES = 65_536;
const TEMP_INODES = 4096;
const OPEN_FILES = 1024;
/** A gVisor sandbox's own memory and threads, which its control group counts as the container's. */
const GVISOR_MB = 192;
const GVISOR_PIDS = 4096;
const GVISOR_PIDS_FACTOR = 4;
/** Above the service's own, so that a container goes first where the machine is short of memory. */
const OOM_SCORE = 500;

/** Labels by which an executor finds the containers that it made. */
export const LABEL_EXECUTOR = "bulkhead.executor";
const LABEL_BOOT = "bulkhead.boot";

/** What a container may use; null is no limit. */
export interface ContainerLimits {
  readonly memoryMb: number | null;
  readonly cpus: number | null;
  readonly pids: number | null;
  readonly diskMb: number;
}

/** The kind of its runtime: gVisor counts its own threads and memory as the container's. */
export type Isolation = "namespaces" | "gvisor";

export interface Confinement {
  readonly limits: ContainerLimits;
  /** Name of the engine's runtime; null is the engine's default. */
  readonly runtime: string | null;
  readonly isolation: Isolation;
  /** An internal network's id, or null for none at all. */
  readonly network: string | null;
}

export interface ContainerIdentity {
  readonly name: string;
  readonly executorId: string;
  readonly bootId: string;
}

/** What runs first in the container. */
export type FirstProcess =
  /** The init of a runtime image, which gets its job by frames. */
  | { readonly kind: "init" }
  /** A program of an image without init; the engine's own reaper is process 1. */
  | {
      readonly kind: "program";
      /** null: as the image says. */
      readonly entrypoint: readonly string[] | null;
      readonly args: readonly string[];
      readonly env: Readonly<Record<string, string>>;
    };

/**
 * All that the engine is told of a container. Everything not named here is the engine's default,
 * which grants nothing: nothing of an order reaches it but numbers, and for an image without init
 * its program.
 */
export function containerOptions(
  identity: ContainerIdentity,
  image: string,
  first: FirstProcess,
  confinement: Confinement,
): ContainerCreateOptions {
  const ownProgram = first.kind === "program";
  return {
    name: identity.name,
    Image: image,
    ...(ownProgram
      ? {
          ...(first.entrypoint === null ? {} : { Entrypoint: [...first.entrypoint] }),
          ...(first.entrypoint === null && first.args.length === 0 ? {} : { Cmd: [...first.args] }),
          Env: Object.entries(first.env).map(([name, value]) => `${name}=${value}`),
        }
      : {}),
    User: `${JOB_UID}:${JOB_UID}`,
    WorkingDir: WORK_FOLDER,
    Hostname: "job",
    Labels: { [LABEL_EXECUTOR]: identity.executorId, [LABEL_BOOT]: identity.bootId },
    Tty: false,
    OpenStdin: true,
    // A broken attach must not end the input of a container that another one adopts.
    StdinOnce: ownProgram,
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
    HostConfig: hostConfig(confinement, ownProgram),
  };
}

/** Its types lack the control group's namespace. */
type FullHostConfig = HostConfig & { readonly CgroupnsMode: "private" };

function hostConfig(confinement: Confinement, ownProgram: boolean): FullHostConfig {
  const { limits, runtime, isolation, network } = confinement;
  const memoryBytes = cgroupMemoryBytes(limits, isolation);
  return {
    ...(runtime === null ? {} : { Runtime: runtime }),
    NetworkMode: network ?? "none",
    // The engine's resolver would carry questions out of an internal network; names go to the proxy.
    ...(network === null ? {} : { Dns: ["127.0.0.1"], DnsOptions: ["timeout:1", "attempts:1"] }),
    ReadonlyRootfs: true,
    CapDrop: ["ALL"],
    SecurityOpt: ["no-new-privileges"],
    Privileged: false,
    IpcMode: "private",
    CgroupnsMode: "private",
    Tmpfs: {
      [WORK_FOLDER]: tmpfs(limits.diskMb, WORK_INODES),
      "/tmp": tmpfs(TEMP_MB, TEMP_INODES),
    },
    ShmSize: SHM_MB * MIB,
    ...(memoryBytes === null ? {} : { Memory: memoryBytes, MemorySwap: memoryBytes }),
    ...(limits.cpus === null ? {} : { NanoCpus: nanoCpus(limits.cpus) }),
    PidsLimit: cgroupPids(limits, isolation) ?? -1,
    OomScoreAdj: OOM_SCORE,
    Ulimits: [
      ulimit("nofile", OPEN_FILES),
      ulimit("core", 0),
      ulimit("fsize", limits.diskMb * MIB),
      ...(isolation === "gvisor" && limits.pids !== null ? [ulimit("nproc", limits.pids)] : []),
    ],
    // Output is read by the service, with a cap; kept by the engine it would have none.
    LogConfig: { Type: "none", Config: {} },
    RestartPolicy: { Name: "no" },
    AutoRemove: false,
    ...(ownProgram ? { Init: true } : {}),
  };
}

/**
 * The control group's memory: the job's own, and the file systems in memory, which it is charged
 * with, too. The job's own is held by init. null is no limit.
 */
export function cgroupMemoryBytes(limits: ContainerLimits, isolation: Isolation): number | null {
  const { memoryMb, diskMb } = limits;
  if (memoryMb === null) return null;
  const own = isolation === "gvisor" ? GVISOR_MB : 0;
  return (memoryMb + diskMb + TEMP_MB + SHM_MB + own) * MIB;
}

/** The control group's processes. Under gVisor they are the sandbox's, and the job's own limit is nproc. */
export function cgroupPids(limits: ContainerLimits, isolation: Isolation): number | null {
  const { pids } = limits;
  if (pids === null || isolation === "namespaces") return pids;
  return Math.max(GVISOR_PIDS, pids * GVISOR_PIDS_FACTOR);
}

export const nanoCpus = (cpus: number): number => Math.round(cpus * 1e9);

const tmpfs = (sizeMb: number, inodes: number): string =>
  `rw,nosuid,nodev,exec,size=${sizeMb}m,nr_inodes=${inodes},uid=${JOB_UID},gid=${JOB_UID},mode=0700`;

const ulimit = (name: string, value: number) => ({ Name: name, Soft: value, Hard: value });
