/** What runs in a cage, and where it is on this machine. Paths are absolute. */
export interface CageProgram {
  /** The Node binary itself, links resolved. */
  readonly nodePath: string;
  /** The module it starts with. */
  readonly entry: string;
  readonly args: readonly string[];
  /** Folders and files that it reads, the entry among them. It sees no others. */
  readonly readable: readonly string[];
}

/** The tools that make a cage's walls, and the system's folders that Node is linked against. */
export interface WallTools {
  readonly bwrap: string;
  readonly setpriv: string;
  readonly unshare: string;
  readonly libraries: readonly string[];
}

export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  /** How many processes stand between this one and the cage's Node, each the only child of the one before. */
  readonly monitors: number;
}

/** What the libraries of a cage ask for while they load; none of it exists inside its walls. */
const PROBED_FILES = ["/etc/alpine-release", "/usr/bin/ldd"];

const NAMESPACES = [
  "--unshare-net",
  "--unshare-ipc",
  "--unshare-uts",
  "--unshare-cgroup-try",
  "--die-with-parent",
  "--new-session",
  "--clearenv",
];

const DYING_WITH_THE_SERVICE = ["--pdeathsig", "KILL"];
/** With a `/proc` that shows it: bubblewrap passes on the one that it finds. */
const PROCESS_NAMESPACE = ["--pid", "--fork", "--kill-child=KILL", "--mount-proc", "--"];
const OWN_USERS = ["--unshare-user", "--unshare-pid", "--as-pid-1"];

/** What changing to the cage's user takes; it is gone with the change. */
const CAPABILITIES = [
  "--cap-drop",
  "ALL",
  "--cap-add",
  "CAP_SETUID",
  "--cap-add",
  "CAP_SETGID",
  "--cap-add",
  "CAP_SETPCAP",
];

/** Runs what follows as the cage's user, without powers and without a way to any. */
function becoming(setpriv: string, uid: string): readonly string[] {
  const powerless = ["--no-new-privs", "--bounding-set", "-all", "--inh-caps", "-all"];
  return [setpriv, "--reuid", uid, "--regid", uid, "--clear-groups", ...powerless];
}

/** Before the binds, which may be of paths below: what is mounted later covers what was before. */
const OWN_SYSTEM = ["--proc", "/proc", "--dev", "/dev"];
const SEALED = ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/"];

const NODE_FLAGS = [
  // isolated-vm asks for it.
  "--no-node-snapshot",
  "--permission",
  // isolated-vm and the compiler are add-ons, the watchdog is a worker.
  "--allow-addons",
  "--allow-worker",
  "--disable-warning=SecurityWarning",
];

/**
 * The command of a cage behind all its walls: own process, mount, network, IPC and host-name
 * namespace; a root of read-only binds and nothing writable; a user of its own without any
 * capability or way to one; the filter on system calls where `seccompFd` has it; Node's permissions.
 *
 *   setpriv → unshare ─► bwrap (process 1 of the namespace) ─► setpriv → node (process 2)
 *
 * Each dies with the one before it, and reaps the one after: the supervisor's death is the cage's,
 * whatever that is stuck in, and no zombie is left to a first process that reaps none. Node is not
 * process 1: the kernel keeps that from killing itself, which a watchdog must. A process of another
 * user cannot be told to die with its parent, but process 1, which stays root's, takes it along.
 */
export function confinedCommand(
  program: CageProgram,
  tools: WallTools,
  cage: { readonly uid: number; readonly seccompFd: number | null },
): Command {
  const args = [
    ...DYING_WITH_THE_SERVICE,
    tools.unshare,
    ...PROCESS_NAMESPACE,
    tools.bwrap,
    ...NAMESPACES,
    ...CAPABILITIES,
    ...rootArgs(program, tools, cage.seccompFd),
    ...becoming(tools.setpriv, String(cage.uid)),
    program.nodePath,
    ...nodeArgs(program),
  ];
  return { file: tools.setpriv, args, monitors: 2 };
}

/**
 * The same for a service that is not root: in a namespace of users, all walls but a user of its
 * own. Node is process 1 here, and killed by the supervisor at its last word.
 */
export function confinedAsOwnUser(
  program: CageProgram,
  tools: WallTools,
  seccompFd: number | null,
): Command {
  const args = [
    ...OWN_USERS,
    ...NAMESPACES,
    ...rootArgs(program, tools, seccompFd),
    program.nodePath,
    ...nodeArgs(program),
  ];
  return { file: tools.bwrap, args, monitors: 1 };
}

/** The root that a cage sees, and the filter; what is to run behind them follows. */
function rootArgs(
  program: CageProgram,
  tools: WallTools,
  seccompFd: number | null,
): readonly string[] {
  const seen = [program.nodePath, tools.setpriv, ...program.readable];
  return [
    ...OWN_SYSTEM,
    ...tools.libraries.flatMap(bind),
    ...foldersAbove(seen).flatMap((folder) => ["--perms", "0755", "--dir", folder]),
    ...seen.flatMap(bind),
    ...SEALED,
    ...(seccompFd === null ? [] : ["--seccomp", String(seccompFd)]),
    "--",
  ];
}

/** The command of a cage where there are no namespaces: a process with Node's permissions alone. */
export function reducedCommand(program: CageProgram): Command {
  return { file: program.nodePath, args: nodeArgs(program), monitors: 0 };
}

/**
 * Starts `command` as one of the memory group that `processList` belongs to, first in line when
 * memory is short, and without core dumps. A shell does it: joining must come before the first
 * page is allocated, and no process can do that for another without a race.
 */
export function launched(command: Command, processList: string | null): Command {
  const script =
    '[ -z "$1" ] || echo 0 > "$1" || exit 125; ulimit -c 0; ' +
    '{ echo 1000 > /proc/self/oom_score_adj; } 2>/dev/null; shift; exec "$@"';
  return {
    file: "/bin/sh",
    args: ["-c", script, "cage", processList ?? "", command.file, ...command.args],
    monitors: command.monitors,
  };
}

function nodeArgs({ entry, args, readable }: CageProgram): readonly string[] {
  const readPaths = [...readable, "/proc", ...PROBED_FILES];
  return [...NODE_FLAGS, ...readPaths.map((path) => `--allow-fs-read=${path}`), entry, ...args];
}

const bind = (path: string): readonly string[] => ["--ro-bind", path, path];

/** Every folder above the paths, outermost first: left to itself bubblewrap closes them to all but root. */
function foldersAbove(paths: readonly string[]): readonly string[] {
  const found = new Set<string>();
  for (const path of paths) {
    const names = path.split("/").slice(1, -1);
    for (let depth = 1; depth <= names.length; depth++) {
      found.add(`/${names.slice(0, depth).join("/")}`);
    }
  }
  return [...found];
}
