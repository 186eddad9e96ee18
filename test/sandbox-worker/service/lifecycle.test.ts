import { existsSync, readdirSync, readFileSync } from "node:fs";

import { afterEach, describe, expect, it } from "vitest";

import { runBody, startSandboxService, until } from "../../support/sandbox-service.ts";
import type { SandboxService } from "../../support/sandbox-service.ts";

const services: SandboxService[] = [];
const start = async (env: Readonly<Record<string, string>> = {}): Promise<SandboxService> => {
  const service = await startSandboxService(env);
  services.push(service);
  return service;
};
afterEach(async () => {
  await Promise.all(services.splice(0).map((service) => service.stop()));
});

const alive = (pid: number): boolean => {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
};
const inFlight = (service: SandboxService): Promise<boolean> =>
  until(async () => (await service.readiness()).inFlight === 1);
const WAITS = "export default () => new Promise((resolve) => setTimeout(resolve, 700, 'done'))";
const FOREVER = "export default () => new Promise((resolve) => setTimeout(resolve, 60_000))";
/** No timeout of V8's stops this one. */
const STUCK = "export default () => Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1)";

describe("SIGTERM", () => {
  it("lets what runs finish, refuses what comes, and ends with 0 and no cage", async () => {
    const service = await start();
    const running = service.run({}, { code: WAITS });
    await inFlight(service);
    const cages = await service.cagePids();

    service.signal("SIGTERM");
    const draining = await until(async () => {
      const response = await service.send(runBody());
      return response.status === 503 && response;
    });

    expect(draining.headers.get("Bulkhead-Refusal")).toBe("draining");
    expect(draining.headers.get("Retry-After")).toMatch(/^[0-9]+$/);
    expect(await service.readiness()).toMatchObject({ ready: false, draining: true });
    expect((await running).result).toMatchObject({ outcome: "ok", valueJson: '"done"' });
    expect(await service.exited).toBe(0);
    expect(cages.filter(alive)).toEqual([]);
  });

  it("ends what is not done within the drain time as lost", async () => {
    const service = await start({ DRAIN_TIMEOUT_MS: "100" });
    const running = service.run({ caps: { wallMs: 60_000 } }, { code: FOREVER });
    await inFlight(service);

    service.signal("SIGTERM");

    expect((await running).result).toMatchObject({ outcome: "infra_lost", certainty: "certain" });
    expect(await service.exited).toBe(0);
  });

  it("twice ends it at once, and its cages with it", async () => {
    const service = await start();
    const running = service.run({ caps: { wallMs: 60_000 } }, { code: FOREVER });
    running.catch(() => {});
    await inFlight(service);
    const cages = await service.cagePids();

    service.signal("SIGTERM");
    await until(async () => (await service.readiness()).draining);
    service.signal("SIGTERM");

    expect(await service.exited).toBe(1);
    await until(() => !cages.some(alive));
    await expect(running).rejects.toThrow(/abort|fetch failed|terminated/);
  });
});

describe("SIGKILL", () => {
  it("leaves no cage alive, and the next start removes its memory groups", async () => {
    const service = await start();
    const running = service.run({ caps: { wallMs: 60_000, cpuMs: 60_000 } }, { code: STUCK });
    running.catch(() => {});
    await inFlight(service);
    const cages = await service.cagePids();
    const groups = memoryGroups(service.pid);

    service.signal("SIGKILL");
    await service.exited;

    await until(() => !cages.some(alive));
    const next = await start();
    expect(groups.filter((group) => existsSync(group))).toEqual([]);
    expect((await next.run()).result).toMatchObject({ outcome: "ok" });
  });
});

it("leaves no zombie of a cage that died by itself, nor of what stood around it", async () => {
  const service = await start({ SANDBOX_SPARES: "1" });
  const caps = { wallMs: 60_000, cpuMs: 60_000, memoryMb: 16 };
  const hog = "new Uint8Array(new ArrayBuffer(2 ** 30, { maxByteLength: 2 ** 30 })).fill(1)";
  const [cage] = await until(async () => {
    const pids = await service.cagePids();
    return pids.length === 1 && pids;
  });
  const family = ancestors(cage!, service.pid);

  expect((await service.run({ caps }, { code: hog })).result).toMatchObject({
    outcome: "memory_limit",
  });

  expect(family.length).toBeGreaterThan(1);
  expect(family.filter((pid) => existsSync(`/proc/${pid}`))).toEqual([]);
});

describe("a start", () => {
  it("names every variable that it cannot read, and ends", async () => {
    const starting = startSandboxService({ EXECUTOR_SECRET: "short", PORT: "x" });

    await expect(starting).rejects.toThrow(/ended with 1[^]*PORT[^]*EXECUTOR_SECRET/);
  });

  it("has another boot id each time, and says its limits", async () => {
    const [one, two] = await Promise.all([start(), start({ SANDBOX_QUEUE_MS: "1234" })]);

    expect(one.bootId).not.toBe(two.bootId);
    expect(two.logged[0]).toMatchObject({
      event: "service.listening",
      pool: { queueMs: 1234 },
      ceilings: { memoryMb: 1024 },
    });
    expect(JSON.stringify(two.logged)).not.toContain("eeee");
  });
});

/** A process and those above it, up to but not with `top`. */
function ancestors(pid: number, top: number): readonly number[] {
  const parent = /^PPid:\s+([0-9]+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return pid === top ? [] : [pid, ...ancestors(Number(parent), top)];
}

/** Folders of the memory groups that a service made for its cages, where it made some. */
function memoryGroups(pid: number): readonly string[] {
  const own = /^[0-9]+:[^:]*\bmemory\b[^:]*:(.*)$/m.exec(readFileSync("/proc/self/cgroup", "utf8"));
  const parent = `/sys/fs/cgroup/memory${own?.[1] ?? ""}`;
  if (!existsSync(parent)) return [];
  return readdirSync(parent)
    .filter((name) => name.startsWith(`bulkhead-${pid}-`))
    .map((name) => `${parent}/${name}`);
}
