import { expect, test } from "vitest";

import { allOf, order } from "../../support/container-service.ts";
import { until } from "../../support/sandbox-service.ts";
import { sharedContainerService } from "../../support/shared-container-service.ts";

const MIB = 1024 * 1024;

const { service, containers } = sharedContainerService({ DOCKER_CPU_LIMIT: "0.5" });

test("a container's configuration at the engine is the confinement, field by field", async () => {
  await until(async () => {
    const { spares } = await service().readiness();
    return Object.values(spares).every((count) => count === 1);
  });
  const ids = await containers().ids();
  const { HostConfig: host, Config: config, Mounts: mounts } = await containers().inspect(ids[0]!);
  expect(host).toMatchObject({
    NetworkMode: "none",
    ReadonlyRootfs: true,
    CapDrop: ["ALL"],
    CapAdd: null,
    SecurityOpt: ["no-new-privileges"],
    Privileged: false,
    IpcMode: "private",
    PidMode: "",
    UTSMode: "",
    UsernsMode: "",
    CgroupnsMode: "private",
    Memory: (512 + 64 + 64 + 1) * MIB,
    MemorySwap: (512 + 64 + 64 + 1) * MIB,
    NanoCpus: 500_000_000,
    PidsLimit: 100,
    ShmSize: MIB,
    OomScoreAdj: 500,
    OomKillDisable: false,
    AutoRemove: false,
    RestartPolicy: { Name: "no" },
    LogConfig: { Type: "none" },
    Binds: null,
    Devices: null,
    DeviceRequests: null,
    VolumesFrom: null,
    PublishAllPorts: false,
  });
  expect(host.Tmpfs).toEqual({
    "/job": "rw,nosuid,nodev,exec,size=64m,nr_inodes=65536,uid=65534,gid=65534,mode=0700",
    "/tmp": "rw,nosuid,nodev,exec,size=64m,nr_inodes=4096,uid=65534,gid=65534,mode=0700",
  });
  expect(host.Ulimits).toEqual([
    { Name: "nofile", Soft: 1024, Hard: 1024 },
    { Name: "core", Soft: 0, Hard: 0 },
    { Name: "fsize", Soft: 64 * MIB, Hard: 64 * MIB },
  ]);
  expect(mounts).toEqual([]);
  expect(config).toMatchObject({ User: "65534:65534", Tty: false, WorkingDir: "/job" });
});

test("what a program sees of its walls", async () => {
  const { result } = await service().run({
    env: { SECRET: "only-for-the-run" },
    code: [
      "id -u; id -g",
      "grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status | tr -s '\\t' ' '",
      "touch /x 2>&1 | grep -o 'Read-only file system'",
      "ls /sys/class/net",
      "mount | grep -c docker.sock",
    ].join("\n"),
  });
  expect(result.stdout.trim().split("\n")).toEqual([
    "65534",
    "65534",
    "CapEff: 0000000000000000",
    "CapBnd: 0000000000000000",
    "NoNewPrivs: 1",
    "Seccomp: 2",
    "Read-only file system",
    "lo",
    "0",
  ]);
});

test("a job's own limits stand in its control group, and its environment nowhere at the engine", async () => {
  const body = order({
    code: "cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null; sleep 60",
    env: { SECRET: "only-for-the-run" },
    caps: { memoryMb: 100, pids: 33, cpus: 0.25 },
  });
  await service().put(body);
  let told = "";
  for await (const event of service().events(body.runId)) {
    if (event.type !== "stdout") continue;
    told = event.data;
    break;
  }
  expect(told).toBe("33\n");
  const inspected = await Promise.all(
    (await containers().ids()).map(async (id) => await containers().inspect(id)),
  );
  expect(JSON.stringify(inspected)).not.toContain("only-for-the-run");
  await service().send("DELETE", `/v1/runs/${body.runId}`);
});

test("a container serves one job: the next run is in another", async () => {
  const code = "cat /proc/sys/kernel/random/uuid > /job/mark; ls -A /job /tmp; hostname -I | wc -w";
  const first = await service().run({ code });
  const second = await service().run({ code });
  expect(second.result.stdout).toBe(first.result.stdout);
  expect(first.result.stdout).toContain("mark");
});

test("nothing of an ended run is left at the engine", async () => {
  const { runId } = await service().run({ caps: { diskMb: 10 } });
  await until(async () => {
    const inspected = await Promise.all(
      (await containers().ids()).map(
        async (id) =>
          await containers()
            .inspect(id)
            .catch(() => null),
      ),
    );
    return !inspected.some((one) => one?.Name === `/${runId}`);
  });
  const events = await allOf(service().events(runId));
  expect(events.at(-1)?.type).toBe("end");
});
