import { join } from "node:path";

/** Where a container's control group is on this machine. */
export type CgroupPaths =
  | {
      readonly version: 1;
      readonly memory: string;
      readonly cpu: string;
      readonly cpuacct: string;
      readonly pids: string;
    }
  | { readonly version: 2; readonly folder: string };

const ROOT = "/sys/fs/cgroup";

/**
 * Reads the groups of a container's first process, as `/proc/<pid>/cgroup` tells them. undefined
 * where they are not that container's: the number is another process's, or seen from a namespace
 * that does not hold it.
 */
export function cgroupPaths(
  procCgroup: string,
  containerId: string,
  root: string = ROOT,
): CgroupPaths | undefined {
  const folders = new Map<string, string>();
  for (const line of procCgroup.split("\n")) {
    const [, controllers = "", path = ""] = /^[0-9]+:([^:]*):(\/.*)$/.exec(line) ?? [];
    if (!path.includes(containerId) || path.includes("/..")) continue;
    for (const controller of controllers.split(",")) folders.set(controller, path);
  }
  const v1 = (controller: string): string | undefined => {
    const path = folders.get(controller);
    return path === undefined ? undefined : join(root, controller, path);
  };
  const [memory, cpu, cpuacct, pids] = ["memory", "cpu", "cpuacct", "pids"].map((name) => v1(name));
  if (memory && cpu && cpuacct && pids) return { version: 1, memory, cpu, cpuacct, pids };
  const unified = folders.get("");
  return unified === undefined ? undefined : { version: 2, folder: join(root, unified) };
}
