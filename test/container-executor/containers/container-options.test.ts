import { describe, expect, test } from "vitest";

import {
  cgroupMemoryBytes,
  cgroupPids,
  containerOptions,
} from "../../../container-executor/containers/container-options.ts";
import type { Confinement } from "../../../container-executor/containers/container-options.ts";

const MIB = 1024 * 1024;
const IDENTITY = { name: "job_a.1", executorId: "e1", bootId: "b1" };
const LIMITS = { memoryMb: 100, cpus: 0.5, pids: 20, diskMb: 10 };

const confinement = (part: Partial<Confinement> = {}): Confinement => ({
  limits: LIMITS,
  runtime: null,
  isolation: "namespaces",
  network: null,
  ...part,
});

const options = (part: Partial<Confinement> = {}) =>
  containerOptions(IDENTITY, "sha256:abc", { kind: "init" }, confinement(part));

test("the whole of what the engine is told of a runtime's container", () => {
  expect(options()).toEqual({
    name: "job_a.1",
    Image: "sha256:abc",
    User: "65534:65534",
    WorkingDir: "/job",
    Hostname: "job",
    Labels: { "bulkhead.executor": "e1", "bulkhead.boot": "b1" },
    Tty: false,
    OpenStdin: true,
    StdinOnce: false,
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
    HostConfig: {
      NetworkMode: "none",
      ReadonlyRootfs: true,
      CapDrop: ["ALL"],
      SecurityOpt: ["no-new-privileges"],
      Privileged: false,
      IpcMode: "private",
      CgroupnsMode: "private",
      Tmpfs: {
        "/job": "rw,nosuid,nodev,exec,size=10m,nr_inodes=65536,uid=65534,gid=65534,mode=0700",
        "/tmp": "rw,nosuid,nodev,exec,size=64m,nr_inodes=4096,uid=65534,gid=65534,mode=0700",
      },
      ShmSize: MIB,
      Memory: 175 * MIB,
      MemorySwap: 175 * MIB,
      NanoCpus: 500_000_000,
      PidsLimit: 20,
      OomScoreAdj: 500,
      Ulimits: [
        { Name: "nofile", Soft: 1024, Hard: 1024 },
        { Name: "core", Soft: 0, Hard: 0 },
        { Name: "fsize", Soft: 10 * MIB, Hard: 10 * MIB },
      ],
      LogConfig: { Type: "none", Config: {} },
      RestartPolicy: { Name: "no" },
      AutoRemove: false,
    },
  });
});

describe("what differs", () => {
  test("under gVisor the job's processes are nproc, and the sandbox's own are counted beside", () => {
    const { HostConfig: host } = options({ runtime: "runsc", isolation: "gvisor" });
    expect(host).toMatchObject({ Runtime: "runsc", PidsLimit: 4096, Memory: 367 * MIB });
    expect(host?.Ulimits).toContainEqual({ Name: "nproc", Soft: 20, Hard: 20 });
  });

  test("a granted network is that one, and its names are asked of nobody", () => {
    expect(options({ network: "net1" }).HostConfig).toMatchObject({
      NetworkMode: "net1",
      Dns: ["127.0.0.1"],
    });
  });

  test("removed limits are none", () => {
    const limits = { memoryMb: null, cpus: null, pids: null, diskMb: 10 };
    const { HostConfig: host } = options({ limits });
    expect(host).toMatchObject({ PidsLimit: -1 });
    expect(Object.keys(host ?? {})).not.toContain("Memory");
    expect(Object.keys(host ?? {})).not.toContain("NanoCpus");
    expect(cgroupMemoryBytes(limits, "gvisor")).toBeNull();
    expect(cgroupPids(limits, "gvisor")).toBeNull();
  });

  test("a program of another image has the engine's reaper and its own environment, and the same walls", () => {
    const program = containerOptions(
      IDENTITY,
      "debian:12",
      { kind: "program", entrypoint: ["sh"], args: ["-c", "x"], env: { A: "1" } },
      confinement(),
    );
    expect(program).toMatchObject({ Entrypoint: ["sh"], Cmd: ["-c", "x"], Env: ["A=1"] });
    const { Init: init, ...host } = program.HostConfig ?? {};
    expect(init).toBe(true);
    expect(host).toEqual(options().HostConfig);
  });

  test("without code and arguments an image runs what it says itself", () => {
    const program = { kind: "program", entrypoint: null, args: [], env: {} } as const;
    const made = containerOptions(IDENTITY, "debian:12", program, confinement());
    expect(Object.keys(made)).not.toContain("Entrypoint");
    expect(Object.keys(made)).not.toContain("Cmd");
  });
});
