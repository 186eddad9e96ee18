import type { ContainerCreateOptions } from "dockerode";

/**
 * What `docker run` has to be told for a container of the same limits as one made with these
 * options: every setting of theirs that costs or confines, as its flag.
 *
 * @throws {TypeError} Naming a setting that has no flag here: a run without it would not be the same.
 */
export function dockerRunFlags(options: ContainerCreateOptions): readonly string[] {
  const { HostConfig = {}, User, WorkingDir, Hostname } = options;
  return [
    "--rm",
    ...(User === undefined ? [] : ["--user", User]),
    ...(WorkingDir === undefined ? [] : ["--workdir", WorkingDir]),
    ...(Hostname === undefined ? [] : ["--hostname", Hostname]),
    ...Object.entries(HostConfig).flatMap(([name, value]) => {
      const flags = FLAGS[name];
      if (flags === undefined) throw new TypeError(`Cannot run the same: "${name}" has no flag`);
      return flags(value);
    }),
  ];
}

type Flags = (value: unknown) => readonly string[];

const one =
  (flag: string): Flags =>
  (value) => [flag, String(value)];

const each =
  (flag: string): Flags =>
  (values) =>
    (values as readonly string[]).flatMap((value) => [flag, value]);

/** What the engine does anyway, without a flag. */
const NOTHING: Flags = () => [];

const FLAGS: Readonly<Record<string, Flags | undefined>> = {
  Runtime: one("--runtime"),
  NetworkMode: one("--network"),
  ReadonlyRootfs: (value) => (value === true ? ["--read-only"] : []),
  CapDrop: each("--cap-drop"),
  SecurityOpt: each("--security-opt"),
  Privileged: NOTHING,
  IpcMode: one("--ipc"),
  CgroupnsMode: one("--cgroupns"),
  Tmpfs: (mounts) =>
    Object.entries(mounts as Record<string, string>).flatMap(([path, how]) => [
      "--tmpfs",
      `${path}:${how}`,
    ]),
  ShmSize: one("--shm-size"),
  Memory: one("--memory"),
  MemorySwap: one("--memory-swap"),
  NanoCpus: (nano) => ["--cpus", String(Number(nano) / 1e9)],
  PidsLimit: one("--pids-limit"),
  OomScoreAdj: one("--oom-score-adj"),
  Ulimits: (limits) =>
    (limits as readonly { Name: string; Soft: number; Hard: number }[]).flatMap(
      ({ Name, Soft, Hard }) => ["--ulimit", `${Name}=${Soft}:${Hard}`],
    ),
  LogConfig: (log) => ["--log-driver", (log as { readonly Type: string }).Type],
  RestartPolicy: NOTHING,
  AutoRemove: NOTHING,
};
