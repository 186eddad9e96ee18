import { describe, expect, test } from "vitest";

import { bytesOf, order } from "../../support/container-service.ts";
import { until } from "../../support/sandbox-service.ts";
import { sharedContainerService } from "../../support/shared-container-service.ts";

const { service, containers } = sharedContainerService({
  DOCKER_MEMORY_LIMIT_MAX: "1g",
  // Half a core is not always to be had on a busy machine.
  CONTAINER_WARN_CPU_PERCENT: "5",
  CONTAINER_CRIT_CPU_PERCENT: "10",
});

const gone = async (name: string): Promise<void> => {
  await until(async () => (await containers().pids(name)).length === 0);
};

describe("each limit, under and over", () => {
  test("wall time: what takes longer is killed, and nothing of it is left", async () => {
    const over = await service().run({ code: "sleep 1234", caps: { wallMs: 300 } });
    expect(over.result).toMatchObject({ outcome: "wall_timeout", signal: "SIGTERM" });
    expect(over.result.usage.killMs).toBeGreaterThanOrEqual(0);
    await gone("sleep");
    const under = await service().run({ code: "sleep 0.1", caps: { wallMs: 10_000 } });
    expect(under.result).toMatchObject({ outcome: "ok", usage: { killMs: null } });
  });

  test("wall time: a program that ignores SIGTERM, with children of its own, is killed", async () => {
    const code = "trap '' TERM; (trap '' TERM; setsid sleep 1234) & while :; do sleep 1; done";
    const { result } = await service().run({ code, caps: { wallMs: 300 } });
    expect(result).toMatchObject({ outcome: "wall_timeout", signal: "SIGKILL" });
    await gone("sleep");
  });

  test("CPU time", async () => {
    const over = await service().run({ code: "while :; do :; done", caps: { cpuMs: 300 } });
    expect(over.result.outcome).toBe("cpu_timeout");
    expect(over.result.usage.cpuMs).toBeGreaterThanOrEqual(300);
    const under = await service().run({ code: "sleep 0.5", caps: { cpuMs: 300 } });
    expect(under.result.outcome).toBe("ok");
  });

  test("memory: a limit above and one below the spare's own", async () => {
    // Init looks some times a second at what the control group cannot tell from files.
    const code = "import time; x = bytearray(100 << 20); time.sleep(1); print(len(x))";
    const hog = { runtime: "python", code } as const;
    const over = await service().run({ ...hog, caps: { memoryMb: 64 } });
    expect(over.result).toMatchObject({ outcome: "memory_limit", signal: "SIGKILL" });
    const under = await service().run({ ...hog, caps: { memoryMb: 200 } });
    expect(under.result).toMatchObject({ outcome: "ok", stdout: "104857600\n" });
    const more = { runtime: "python", code: "x = bytearray(700 << 20); print(len(x))" } as const;
    const raised = await service().run({ ...more, caps: { memoryMb: 1000 } });
    expect(raised.result).toMatchObject({ outcome: "ok", stdout: "734003200\n" });
  });

  test("memory: SIGKILL by itself is no memory limit", async () => {
    const { result } = await service().run({ code: "kill -KILL $$" });
    expect(result).toMatchObject({ outcome: "failed", signal: "SIGKILL" });
  });

  test("processes", async () => {
    // Bash would try again until some have ended.
    const code = "import os, time\nfor _ in range(30):\n  if os.fork() == 0: time.sleep(60)";
    const over = await service().run({ runtime: "python", code, caps: { pids: 16 } });
    expect(over.result.outcome).toBe("process_limit");
    const under = await service().run({ code: "sleep 0.1 & wait", caps: { pids: 16 } });
    expect(under.result.outcome).toBe("ok");
  });

  test("a fork bomb ends, and the next run is well", async () => {
    const bomb = await service().run({
      code: "f() { f | f & }; f; sleep 1; exit 7",
      caps: { pids: 32, wallMs: 5000 },
    });
    expect(bomb.result.outcome).toBe("process_limit");
    expect((await service().run({ code: "echo well" })).result.stdout).toBe("well\n");
  });

  test("disk: the spare's own size, and another one", async () => {
    const fill = (mb: number) => `head -c $((${mb} << 20)) /dev/zero > big || exit 9; echo wrote`;
    expect((await service().run({ code: fill(80) })).result.outcome).toBe("disk_limit");
    expect((await service().run({ code: fill(30) })).result.outcome).toBe("ok");
    const small = await service().run({ code: fill(30), caps: { diskMb: 8 } });
    expect(small.result.outcome).toBe("disk_limit");
    const large = await service().run({ code: fill(80), caps: { diskMb: 128 } });
    expect(large.result).toMatchObject({ outcome: "ok", stdout: "wrote\n" });
  });

  test("CPUs: the share is the container's own limit", async () => {
    const body = order({ code: "while :; do :; done", caps: { cpus: 0.25, wallMs: 2500 } });
    await service().put(body);
    let percent = 0;
    for await (const event of service().events(body.runId)) {
      if (event.type === "stats") percent = Math.max(percent, event.cpuPercent);
      if (event.type !== "end") continue;
      expect(event.result.outcome).toBe("wall_timeout");
      expect(event.result.usage.cpuMs).toBeLessThan(1200);
    }
    expect(percent).toBeGreaterThan(50);
  });

  test("output over the live cap is a gap and a tail, and an artifact has all of it", async () => {
    const caps = { outputBytes: 4000, outputFileBytes: 1_000_000 };
    const { result, events, runId } = await service().run({ code: "seq 1 5000", caps });
    const whole = Array.from({ length: 5000 }, (_, i) => `${i + 1}\n`).join("");
    expect(result.outcome).toBe("ok");
    const live = bytesOf(events, "stdout").toString();
    expect(whole.startsWith(live.slice(0, 4000))).toBe(true);
    expect(whole.endsWith(live.slice(4000))).toBe(true);
    const gap = events.find((event) => event.type === "gap");
    expect(gap).toMatchObject({ stream: "stdout", from: 4000, to: whole.length - 1000 });
    expect(result.stdout).toMatch(/^1\n2\n[^]*bytes cut[^]*\n5000\n$/);
    const [artifact] = result.artifacts;
    expect(artifact).toMatchObject({ kind: "output", bytes: whole.length });
    const file = await service().send("GET", `/v1/runs/${runId}/artifacts/.bulkhead/stdout`);
    expect(await file.text()).toBe(whole);
  });

  test("output over the file's cap ends the run", async () => {
    const caps = { outputBytes: 4000, outputFileBytes: 100_000 };
    const { result } = await service().run({ code: "yes", caps });
    expect(result).toMatchObject({ outcome: "output_limit", signal: "SIGKILL" });
    expect(result.artifacts).toMatchObject([{ kind: "output", bytes: 100_000 }]);
  });

  test("output of exactly the cap is not cut", async () => {
    const caps = { outputBytes: 1000, outputFileBytes: 1000 };
    const { result, events } = await service().run({ code: "head -c 1000 /dev/zero", caps });
    expect(result).toMatchObject({ outcome: "ok", truncated: null, artifacts: [] });
    expect(bytesOf(events, "stdout")).toEqual(Buffer.alloc(1000));
  });

  test("a limit above this executor's ceiling is refused, and said", async () => {
    const refused = await service().put(order({ caps: { memoryMb: 2048 } }));
    expect(refused.status).toBe(422);
    expect(await refused.json()).toEqual({
      code: "above_ceiling",
      detail: "caps.memoryMb: 2048 is above this executor's ceiling of 1024",
    });
    const unlimited = await service().put(order({ caps: { memoryMb: null } }));
    expect(unlimited.status).toBe(422);
  });

  test("a limit that an operator removed is none", async () => {
    const code = "for i in $(seq 150); do sleep 0.5 & done; wait; echo all";
    const { result } = await service().run({ code, caps: { pids: null, cpus: null } });
    expect(result).toMatchObject({ outcome: "ok", stdout: "all\n" });
  });
});

test("use is told each second, and the monitor judges it", async () => {
  const body = order({ code: "while :; do :; done", caps: { cpus: 0.5, wallMs: 15_000 } });
  await service().put(body);
  const { runId } = body;
  const target = `/v1/health/${runId}`;
  await until(async () => {
    const one = (await (await service().send("GET", target)).json()) as { level: string };
    return one.level === "CRITICAL";
  });
  const all = await (await service().send("GET", "/v1/health")).json();
  expect(all).toMatchObject({
    healthyContainers: 0,
    totalContainers: 1,
    containers: [{ runId, level: "CRITICAL", reasons: ["cpu"] }],
  });
  await service().send("DELETE", `/v1/runs/${runId}`);
  expect((await service().send("GET", target)).status).toBe(404);
});
