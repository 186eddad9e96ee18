import { afterEach, describe, expect, it } from "vitest";

import { startSandboxService, until } from "../../../support/sandbox-service.ts";
import type { SandboxService } from "../../../support/sandbox-service.ts";

let service: SandboxService;
afterEach(async () => {
  await service.stop();
});

const waits = (ms: number) => ({
  code: `export default () => new Promise((resolve) => setTimeout(resolve, ${ms}))`,
});

describe("the wait for a cage", () => {
  it("is refused as full to a tenant whose queue is, and to nobody else", async () => {
    service = await startSandboxService({
      SANDBOX_MAX_CAGES: "4",
      SANDBOX_QUEUE_PER_TENANT: "1",
    });
    const one = { tenant: "one", tenantMaxConcurrent: 1 };
    const running = service.run(one, waits(1500));
    await until(async () => (await service.readiness()).inFlight === 1);
    const queued = service.run(one, waits(0));
    await until(async () => (await service.readiness()).queued === 1);

    const third = await service.run(one);
    const other = await service.run({ tenant: "two" });

    expect(third.response.status).toBe(503);
    expect(third.response.headers.get("Bulkhead-Refusal")).toBe("full");
    expect(third.response.headers.get("Retry-After")).toMatch(/^[0-9]+$/);
    expect(other.result).toMatchObject({ outcome: "ok" });
    expect((await running).result).toMatchObject({ outcome: "ok" });
    const { result } = await queued;
    expect(result).toMatchObject({ outcome: "ok" });
    expect(result?.usage.queueMs).toBeGreaterThan(100);
  });

  it("ends as full after the longest time it may take", async () => {
    service = await startSandboxService({ SANDBOX_QUEUE_MS: "300" });
    const one = { tenantMaxConcurrent: 1 };
    const running = service.run(one, waits(2000));
    await until(async () => (await service.readiness()).inFlight === 1);

    const { response } = await service.run(one);

    expect(response.status).toBe(503);
    expect(response.headers.get("Bulkhead-Refusal")).toBe("full");
    expect((await running).result).toMatchObject({ outcome: "ok" });
  });

  it("is left without a trace by who gives up", async () => {
    service = await startSandboxService();
    const one = { tenantMaxConcurrent: 1 };
    const running = service.run(one, waits(500));
    await until(async () => (await service.readiness()).inFlight === 1);
    const leaving = new AbortController();
    const queued = service.run(one, waits(0), leaving);
    await until(async () => (await service.readiness()).queued === 1);

    leaving.abort();

    await expect(queued).rejects.toThrow(/abort/);
    await until(async () => (await service.readiness()).queued === 0);
    expect((await running).result).toMatchObject({ outcome: "ok" });
  });

  it("takes turns between tenants: a crowd of one does not keep out another", async () => {
    service = await startSandboxService({ SANDBOX_MAX_CAGES: "2", SANDBOX_SPARES: "1" });
    const ended: string[] = [];
    const crowd = Array.from({ length: 20 }, async () => {
      await service.run({ tenant: "crowd" }, waits(150));
      ended.push("crowd");
    });
    await until(async () => (await service.readiness()).queued > 10);

    const { result } = await service.run({ tenant: "guest" }, waits(0));
    ended.push("guest");
    await Promise.all(crowd);

    expect(result).toMatchObject({ outcome: "ok" });
    expect(ended.indexOf("guest")).toBeLessThan(15);
  });

  it("costs the least recently used idle cage, where all there may be are taken", async () => {
    service = await startSandboxService({ SANDBOX_MAX_CAGES: "2", SANDBOX_SPARES: "1" });
    for (const tenant of ["a", "b", "c", "d"]) {
      expect((await service.run({ tenant })).result).toMatchObject({ outcome: "ok" });
    }

    const { cages } = await service.readiness();
    expect(cages.live).toBeLessThanOrEqual(2);
    const metrics = await (await fetch(`${service.url}/metrics`)).text();
    expect(metrics).toContain('bulkhead_sandbox_cages_replaced_total{reason="evicted"}');
  });

  it("never has more runs of a tenant under way than its signed cap", async () => {
    service = await startSandboxService();
    const seen: number[] = [];
    const runs = Array.from({ length: 8 }, () =>
      service.run({ tenantMaxConcurrent: 2 }, waits(100)),
    );
    const all = Promise.all(runs);
    let done = false;
    void all.then(() => (done = true));
    await until(async () => {
      seen.push((await service.readiness()).inFlight);
      return done;
    });

    expect((await all).every(({ result }) => result?.outcome === "ok")).toBe(true);
    expect(Math.max(...seen)).toBe(2);
  });
});

describe("a tenant's cages", () => {
  it("grow for runs that wait for something, and are recycled when idle", async () => {
    service = await startSandboxService({ CAGE_IDLE_MS: "300" });
    const leaving = new AbortController();
    const caps = { wallMs: 60_000 };
    const runs = Array.from({ length: 4 }, () => service.run({ caps }, waits(60_000), leaving));
    const all = Promise.allSettled(runs);

    await until(async () => (await service.readiness()).cages.busy === 4);

    leaving.abort();
    await all;
    const recycled = await until(async () => {
      const { live, spares } = (await service.readiness()).cages;
      return live === spares;
    });
    expect(recycled).toBe(true);
  });

  it("are replaced after so many runs, without a run noticing", async () => {
    service = await startSandboxService({ CAGE_MAX_RUNS: "3" });

    for (let run = 0; run < 10; run++) {
      const { result } = await service.run({ tenantMaxConcurrent: 1 });
      expect(result).toMatchObject({ outcome: "ok" });
    }

    const counted = await until(async () => {
      const metrics = await (await fetch(`${service.url}/metrics`)).text();
      return metrics.includes('bulkhead_sandbox_cages_replaced_total{reason="runs"} 3');
    });
    expect(counted).toBe(true);
  });
});
