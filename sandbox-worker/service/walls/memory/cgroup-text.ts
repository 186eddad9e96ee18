/** What the kernel's control-group files say, read without touching one. */

/** Where a process is in the memory hierarchy. `path` starts with `/`. */
export interface GroupPlace {
  readonly version: 1 | 2;
  readonly path: string;
}

/** Reads `/proc/<pid>/cgroup`: the version 1 memory controller where there is one, else version 2. */
export function memoryGroupPlace(procCgroup: string): GroupPlace | undefined {
  const lines = procCgroup
    .trim()
    .split("\n")
    .map((line) => /^([0-9]+):([^:]*):(\/.*)$/.exec(line) ?? []);
  const first = lines.find(([, , controllers = ""]) => controllers.split(",").includes("memory"));
  if (first?.[3] !== undefined) return { version: 1, path: first[3] };
  const unified = lines.find(([, id, controllers]) => id === "0" && controllers === "");
  return unified?.[3] === undefined ? undefined : { version: 2, path: unified[3] };
}

/** A hierarchy that is mounted here, and which of its folders is at the mount point. */
export interface GroupMount {
  readonly mountPoint: string;
  readonly rootPath: string;
}

/** Finds the memory hierarchy's mount in `/proc/self/mountinfo`. */
export function memoryGroupMount(mountInfo: string, version: 1 | 2): GroupMount | undefined {
  for (const line of mountInfo.split("\n")) {
    const [mount = "", source = ""] = line.split(" - ");
    const [, , , rootPath, mountPoint] = mount.split(" ");
    const [type, , options = ""] = source.split(" ");
    const wanted =
      version === 2
        ? type === "cgroup2"
        : type === "cgroup" && options.split(",").includes("memory");
    if (wanted && rootPath !== undefined && mountPoint !== undefined) {
      return { mountPoint, rootPath };
    }
  }
  return undefined;
}

/**
 * The folder of a group under a mount, or undefined where the mount does not show it. A path with
 * `..` is that of a process outside of our own view.
 */
export function groupFolder(mount: GroupMount, path: string): string | undefined {
  if (path.includes("/..")) return undefined;
  const root = mount.rootPath === "/" ? "" : mount.rootPath;
  if (root !== "" && path !== root && !path.startsWith(`${root}/`)) return mount.mountPoint;
  const below = path.slice(root.length);
  return below === "/" || below === "" ? mount.mountPoint : `${mount.mountPoint}${below}`;
}

/** The number behind `key` in a file of `key value` lines (`memory.events`, `memory.oom_control`). */
export function keyedNumber(text: string, key: string): number | undefined {
  for (const line of text.split("\n")) {
    const [name, value] = line.split(" ");
    if (name === key && value !== undefined && /^[0-9]+$/.test(value)) return Number(value);
  }
  return undefined;
}

/** What a process holds, from `/proc/<pid>/statm`, which counts pages. */
export interface HeldPages {
  readonly resident: number;
  /** Of those, pages of files and of memory shared with others. */
  readonly shared: number;
}

export function heldPages(statm: string): HeldPages | undefined {
  const match = /^[0-9]+ ([0-9]+) ([0-9]+) /.exec(statm);
  if (match === null) return undefined;
  return { resident: Number(match[1]), shared: Number(match[2]) };
}

/** Which process a supervisor was, in the name of the group that holds its cages. */
export interface GroupOwner {
  readonly pid: number;
  /** Field 22 of `/proc/<pid>/stat`: two processes with one pid differ in it. */
  readonly startTime: string;
}

const OWNER_FORM = /^bulkhead-([0-9]{1,10})-([0-9]{1,20})$/;

export const ownerName = ({ pid, startTime }: GroupOwner): string => `bulkhead-${pid}-${startTime}`;

export function parseOwnerName(name: string): GroupOwner | undefined {
  const match = OWNER_FORM.exec(name);
  if (match?.[1] === undefined || match[2] === undefined) return undefined;
  return { pid: Number(match[1]), startTime: match[2] };
}
