import { expect, test } from "vitest";

import { cgroupPaths } from "../../../container-executor/containers/cgroup-paths.ts";

const ID = "3a9f2332b103d19e";

test("version 1: a folder per controller", () => {
  const text = [
    `9:name=systemd:/docker/${ID}`,
    `8:pids:/docker/${ID}`,
    `4:memory:/docker/${ID}`,
    `2:cpu,cpuacct:/docker/${ID}`,
    `0::/docker/${ID}`,
  ].join("\n");
  expect(cgroupPaths(text, ID)).toEqual({
    version: 1,
    memory: `/sys/fs/cgroup/memory/docker/${ID}`,
    cpu: `/sys/fs/cgroup/cpu/docker/${ID}`,
    cpuacct: `/sys/fs/cgroup/cpuacct/docker/${ID}`,
    pids: `/sys/fs/cgroup/pids/docker/${ID}`,
  });
});

test("version 2: one folder", () => {
  const path = `/system.slice/docker-${ID}.scope`;
  expect(cgroupPaths(`0::${path}\n`, ID)).toEqual({
    version: 2,
    folder: `/sys/fs/cgroup${path}`,
  });
});

test.for([
  ["another process's group", "0::/user.slice"],
  ["a path that leaves the namespace", `0::/../../docker/${ID}`],
  ["nothing", ""],
] as const)("%s is not the container's", ([, text]) => {
  expect(cgroupPaths(text, ID)).toBeUndefined();
});
