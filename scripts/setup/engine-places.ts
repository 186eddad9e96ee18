import { createHash } from "node:crypto";
import { join } from "node:path";

export interface EnginePlaces {
  readonly folder: string;
  readonly socket: string;
  readonly dataRoot: string;
  readonly execRoot: string;
  readonly pidFile: string;
  readonly configFile: string;
  /** The program that the runtime `runsc-net` starts. */
  readonly runscNet: string;
  readonly log: string;
  /** Who started the daemon that runs, and when: pid and start time. */
  readonly record: string;
  /** A file per process that uses the engine; the last to leave stops it. */
  readonly users: string;
  readonly lock: string;
}

/** The kernel holds a socket's path in 108 bytes, the closing zero included. */
const MAX_SOCKET_PATH_BYTES = 107;

/** The longest path of a socket that the engine and its containerd make below the exec root. */
const LONGEST_SOCKET = "containerd/containerd-debug.sock.ttrpc";

/**
 * Where the project's own Docker engine keeps its things: below the project, but for the sockets of
 * a project that lies so deep that the kernel could not name them.
 */
export function enginePlaces(local: string): EnginePlaces {
  const folder = join(local, "docker");
  const sockets = fits(join(folder, "exec")) ? folder : shortFolder(folder);
  return {
    folder,
    socket: join(sockets, "docker.sock"),
    dataRoot: join(folder, "data"),
    execRoot: join(sockets, "exec"),
    pidFile: join(folder, "dockerd.pid"),
    configFile: join(folder, "daemon.json"),
    runscNet: join(folder, "runsc-net"),
    log: join(local, "logs/dockerd.log"),
    record: join(folder, "dockerd.json"),
    users: join(folder, "users"),
    lock: join(folder, "engine.lock"),
  };
}

function fits(execRoot: string): boolean {
  return Buffer.byteLength(join(execRoot, LONGEST_SOCKET)) <= MAX_SOCKET_PATH_BYTES;
}

function shortFolder(folder: string): string {
  return `/run/bulkhead-${createHash("sha256").update(folder).digest("hex").slice(0, 12)}`;
}

/** What dockerd is told: the project's own containerd namespace, no default bridge, gVisor if here. */
export function daemonConfig(runsc: string | null, runscNet: string): object {
  return {
    "log-level": "warn",
    // A machine's containerd, if there is one, is shared with whoever else uses it.
    "containerd-namespace": "bulkhead",
    "containerd-plugins-namespace": "bulkhead-plugins",
    // Two engines would fight over docker0 and its addresses. Networks made by name still work.
    bridge: "none",
    ...(runsc === null
      ? {}
      : {
          runtimes: {
            runsc: { path: runsc, runtimeArgs: ["--platform=ptrace", "--network=none"] },
            "runsc-net": {
              path: runscNet,
              runtimeArgs: ["--platform=ptrace", "--network=sandbox"],
            },
          },
        }),
  };
}

/**
 * Starts runsc for a container that has a network. Debian's runsc refuses to when it sees
 * /proc/sys/net/core/rmem_default, once the mark of the machine's own network namespace, which
 * Linux now shows in every one; so it gets a view of /proc in which that is hidden.
 */
export function runscNetScript(runsc: string): string {
  const hide = "mount -t tmpfs none /proc/sys/net";
  return `#!/bin/sh\nexec unshare --mount sh -c '${hide} && exec "$0" "$@"' ${runsc} "$@"\n`;
}
