import { afterEach, describe, expect, it, vi } from "vitest";

import { LimitsAnswer } from "../../protocol/tenant-answers.ts";
import {
  ADMIN,
  bearer,
  call,
  ended,
  newKey,
  playExecutors,
  postRun,
  problemOf,
  setOverrides,
} from "./support.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

const get = (path: string, key: string) => call(path, { headers: bearer(key) });

async function limitsOf(key: string): Promise<LimitsAnswer> {
  return LimitsAnswer.parse(await (await get("/v1/limits", key)).json());
}

describe("GET /v1/limits", () => {
  it("has every limit with its unit, its maximum and what set them", async () => {
    const { tenant, key } = await newKey();
    const answer = await limitsOf(key);
    expect(answer).toMatchObject({
      tenant,
      isolation: { allowed: ["run", "tenant", "warm"], setBy: "ISOLATION_MODES" },
      net: { allowed: null },
      concurrency: { underWay: 0, maximum: 32 },
      usageToday: [],
    });
    expect(answer.limits).toContainEqual({
      name: "limits.wallMs",
      value: 5_000,
      unit: "ms",
      maximum: 30_000,
      setBy: "ISOLATE_WALL_MS",
      maximumSetBy: "ISOLATE_WALL_MS_MAX",
    });
    expect(answer.limits.map(({ name }) => name)).toEqual([
      "limits.wallMs",
      "limits.cpuMs",
      "limits.memoryMb",
      "limits.outputBytes",
      "container.limits.wallMs",
      "container.limits.cpuMs",
      "container.limits.memoryMb",
      "container.limits.outputBytes",
      "container.limits.cpus",
      "container.limits.pids",
      "container.limits.diskMb",
      "body",
      "source",
      "input",
      "result",
      "fetches",
      "fetchMs",
      "fetchBytes",
      "pendingOps",
      "container.source",
      "container.files",
      "container.outputFile",
      "container.artifactFiles",
      "container.artifactBytes",
      "wait",
      "rateLimit.requests",
      "rateLimit.burst",
      "concurrency",
      "quota.runsPerDay",
      "quota.cpuMsPerDay",
    ]);
  });

  it("says where the tenant has its own", async () => {
    const { tenant, key } = await newKey();
    await setOverrides(tenant, {
      rateLimit: { requests: 6, windowS: 1, burst: 7 },
      maxConcurrent: 0,
      quota: { runsPerDay: 8 },
      isolate: { modes: ["run"], limits: { cpuMs: { maximum: 9_000 } } },
      net: ["a.example"],
    });
    const answer = await limitsOf(key);
    const own = answer.limits.filter(({ setBy }) => setBy === "tenant override");
    expect(own).toMatchObject([
      { name: "rateLimit.requests", value: 6, unit: "requests per 1 s" },
      { name: "rateLimit.burst", value: 7 },
      { name: "concurrency", value: null },
      { name: "quota.runsPerDay", value: 8 },
    ]);
    expect(answer.limits[1]).toMatchObject({ maximum: 9_000, maximumSetBy: "tenant override" });
    expect(answer.isolation).toEqual({ allowed: ["run"], setBy: "tenant override" });
    expect(answer.net).toEqual({ allowed: ["a.example"], setBy: "tenant override" });
    expect(answer.concurrency.maximum).toBeNull();
  });

  it("shows what today's runs have left of the rate and have used", async () => {
    const { key } = await newKey();
    playExecutors(ended());
    await postRun(key);
    const { rates, usageToday } = await limitsOf(key);
    expect(rates.find(({ name }) => name === "tenant")).toMatchObject({ quota: 600, burst: 100 });
    expect(usageToday).toMatchObject([{ lane: "isolate", runs: 1 }]);
  });
});

describe("GET /v1/usage", () => {
  it("is empty for a tenant that ran nothing", async () => {
    const { tenant, key } = await newKey();
    expect(await (await get("/v1/usage", key)).json()).toEqual({ tenant, usage: [] });
  });

  it.each(["0", "401", "week"])("is not given for %s days", async (days) => {
    const { key } = await newKey();
    const problem = await problemOf(await get(`/v1/usage?days=${days}`, key));
    expect(problem).toMatchObject({ status: 400, issues: [{ path: "days" }] });
  });
});

describe("GET /v1/runtimes", () => {
  const runtimes = {
    runtimes: [{ language: "typescript", version: "7.0", lane: "isolate", engine: "V8" }],
  };

  it("is 503 while no executor answers, then what one says, believed for a while", async () => {
    const { key } = await newKey();
    playExecutors(new Error("Network connection lost."));
    expect(await problemOf(await get("/v1/runtimes", key))).toMatchObject({ status: 503 });

    const seen = playExecutors(() => Response.json(runtimes));
    expect(await (await get("/v1/runtimes", key)).json()).toEqual(runtimes);
    expect(await (await get("/v1/runtimes", key)).json()).toEqual(runtimes);
    expect(seen.length).toBe(1);
  });
});

it("a revoked key sees nothing more within a second", async () => {
  const { tenant, keyId, key } = await newKey();
  expect((await get("/v1/limits", key)).status).toBe(200);
  await call(`/admin/tenants/${tenant}/keys/${keyId}`, { method: "DELETE", headers: ADMIN });
  const revokedAt = Date.now();
  await vi.waitUntil(async () => (await get("/v1/limits", key)).status === 401, { timeout: 5_000 });
  expect(Date.now() - revokedAt).toBeLessThan(5_000);
});
