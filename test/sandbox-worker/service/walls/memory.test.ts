import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { cageLimitBytes, isBloated } from "../../../../sandbox-worker/service/cages/cage-memory.ts";
import {
  groupFolder,
  heldPages,
  keyedNumber,
  memoryGroupMount,
  memoryGroupPlace,
  ownerName,
  parseOwnerName,
} from "../../../../sandbox-worker/service/walls/memory/cgroup-text.ts";
import { CgroupV1Wall } from "../../../../sandbox-worker/service/walls/memory/cgroup-v1.ts";
import { CgroupV2Wall } from "../../../../sandbox-worker/service/walls/memory/cgroup-v2.ts";
import { ResidentPollWall } from "../../../../sandbox-worker/service/walls/memory/resident-poll.ts";

const MIB = 1024 * 1024;

describe("memoryGroupPlace()", () => {
  it.each([
    ["4:memory:/user/a\n0::/\n", { version: 1, path: "/user/a" }],
    ["9:cpu,memory:/\n", { version: 1, path: "/" }],
    ["0::/system.slice/x.service\n", { version: 2, path: "/system.slice/x.service" }],
    ["3:cpuset:/\n", undefined],
    ["", undefined],
  ])("of %j is %j", (text, place) => {
    expect(memoryGroupPlace(text)).toEqual(place);
  });
});

describe("memoryGroupMount()", () => {
  const info =
    "30 24 0:26 / /sys/fs/cgroup/cpu rw shared:9 - cgroup cgroup rw,cpu\n" +
    "31 24 0:27 /docker/ab /sys/fs/cgroup/memory rw,nosuid shared:10 - cgroup cgroup rw,memory\n" +
    "32 24 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";

  it("finds the hierarchy of either version", () => {
    expect(memoryGroupMount(info, 1)).toEqual({
      mountPoint: "/sys/fs/cgroup/memory",
      rootPath: "/docker/ab",
    });
    expect(memoryGroupMount(info, 2)?.mountPoint).toBe("/sys/fs/cgroup/unified");
    expect(memoryGroupMount("", 2)).toBeUndefined();
  });
});

describe("groupFolder()", () => {
  it.each([
    ["/", "/a/b", "/m/a/b"],
    ["/", "/", "/m"],
    ["/docker/ab", "/docker/ab/c", "/m/c"],
    ["/docker/ab", "/docker/ab", "/m"],
    ["/docker/ab", "/", "/m"],
    ["/", "/../x", undefined],
  ])("under a mount of %j for %j is %j", (rootPath, path, folder) => {
    expect(groupFolder({ mountPoint: "/m", rootPath }, path)).toBe(folder);
  });
});

it("keyedNumber() finds a key's number, and no other key's", () => {
  const text = "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n";
  expect(keyedNumber(text, "oom_kill")).toBe(3);
  expect(keyedNumber(text, "oom")).toBeUndefined();
});

it("heldPages() reads what is resident and what of it is shared", () => {
  expect(heldPages("5000 1200 300 20 0 900 0\n")).toEqual({ resident: 1200, shared: 300 });
  expect(heldPages("")).toBeUndefined();
});

it("a group's name tells its owner, and what is no such name tells none", () => {
  const owner = { pid: 12, startTime: "345" };
  expect(parseOwnerName(ownerName(owner))).toEqual(owner);
  for (const name of ["bulkhead-12", "bulkhead-x-1", "docker", "bulkhead-1-2-3"]) {
    expect(parseOwnerName(name)).toBeUndefined();
  }
});

describe("a cage's limit", () => {
  it("is its own part and three times its run's", () => {
    expect(cageLimitBytes(64)).toBe((60 + 192) * MIB);
  });

  it("calls a cage bloated that would take from the next run", () => {
    expect(isBloated((60 + 128) * MIB, 64)).toBe(false);
    expect(isBloated((60 + 128) * MIB + 1, 64)).toBe(true);
  });
});

describe("a group's files", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "bulkhead-group-"));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  const file = (name: string): string => join(folder, "cage-7", name);

  it("of version 2 hold limit, peak and what was killed", () => {
    const memory = new CgroupV2Wall(folder).open(7);

    memory.setLimit(1000);
    writeFileSync(file("memory.current"), "300\n");
    writeFileSync(file("memory.peak"), "700\n");
    writeFileSync(file("memory.events"), "oom 1\noom_kill 1\noom_group_kill 1\n");

    expect(readFileSync(file("memory.max"), "utf8")).toBe("1000");
    expect(readFileSync(file("memory.swap.max"), "utf8")).toBe("0");
    expect(readFileSync(file("memory.oom.group"), "utf8")).toBe("1");
    expect(memory.processList).toBe(file("cgroup.procs"));
    expect([memory.heldBytes(), memory.peakBytes(), memory.overran()]).toEqual([300, 700, true]);
  });

  it("of version 1 hold limit, peak and what was killed", () => {
    const memory = new CgroupV1Wall(folder).open(7);

    memory.setLimit(1000);
    writeFileSync(file("memory.usage_in_bytes"), "300\n");
    writeFileSync(file("memory.max_usage_in_bytes"), "700\n");
    writeFileSync(file("memory.oom_control"), "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n");

    expect(readFileSync(file("memory.limit_in_bytes"), "utf8")).toBe("1000");
    expect([memory.heldBytes(), memory.peakBytes(), memory.overran()]).toEqual([300, 700, false]);
  });

  it("that cannot be written are told", () => {
    const memory = new CgroupV1Wall(folder).open(7);
    mkdirSync(file("memory.limit_in_bytes"));

    expect(() => memory.setLimit(1)).toThrow(/Cannot set the memory limit/);
  });
});

it("the poll tells once that a process holds more than its limit", async () => {
  const memory = new ResidentPollWall().open();
  memory.setLimit(MIB);
  const held: Buffer[] = [];

  await new Promise<void>((resolve) => {
    memory.watch(process.pid, resolve);
    held.push(Buffer.alloc(64 * MIB, 1));
  });

  expect(memory.overran()).toBe(true);
  expect(memory.peakBytes()).toBeGreaterThan(MIB);
});
