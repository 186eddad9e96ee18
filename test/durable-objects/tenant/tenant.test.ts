import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";

import { KEYS_MAX } from "../../../durable-objects/tenant/tenant-keys.ts";
import type { Tenant } from "../../../durable-objects/tenant/tenant.ts";
import type { AdmissionRequest, Settlement } from "../../../protocol/admission.ts";
import { base32 } from "../../../protocol/api-key.ts";
import type { KeyInfo, TenantOverrides } from "../../../protocol/tenant.ts";

const TODAY = new Date().toISOString().slice(0, 10);

const keyInfo = (changes: Partial<KeyInfo> = {}): KeyInfo => ({
  keyId: "aaaaaaaaaaaaaaaaa",
  name: "",
  scopes: ["run", "read"],
  createdAt: "2026-11-22T00:00:00.000Z",
  expiresAt: null,
  revokedAt: null,
  rate: null,
  ...changes,
});

/** A tenant of its own for each test, with one key. */
async function newTenant(
  overrides?: TenantOverrides,
  key: Partial<KeyInfo> = {},
): Promise<DurableObjectStub<Tenant>> {
  const tenant = env.TENANT.getByName(crypto.randomUUID());
  await tenant.addKey(keyInfo(key));
  if (overrides !== undefined) await tenant.setOverrides(overrides);
  return tenant;
}

let runs = 0;
const nextRunId = (): string => `run_${++runs}`;

const request = (changes: Partial<AdmissionRequest> = {}): AdmissionRequest => ({
  keyId: "aaaaaaaaaaaaaaaaa",
  scope: "run",
  lane: "isolate",
  runId: nextRunId(),
  leaseMs: 60_000,
  policyVersion: 0,
  mode: "take",
  settlements: [],
  ...changes,
});

const settlement = (runId: string, changes: Partial<Settlement> = {}): Settlement => ({
  runId,
  keyId: "aaaaaaaaaaaaaaaaa",
  lane: "isolate",
  cpuMs: 5,
  wallMs: 7,
  refunded: false,
  ...changes,
});

describe("admit()", () => {
  it("refuses a tenant that was never registered", async () => {
    const tenant = env.TENANT.getByName(crypto.randomUUID());
    expect(await tenant.admit(request())).toMatchObject({
      kind: "refused",
      failure: { code: "unauthenticated", reason: "the tenant is not registered" },
    });
    expect(await tenant.admit(request({ keyId: null }))).toMatchObject({ kind: "refused" });
  });

  it.each([
    ["is not known", {}, { keyId: "abbbbbbbbbbbbbbbb" }, "unauthenticated"],
    ["has expired", { expiresAt: "2026-01-01T00:00:00Z" }, {}, "unauthenticated"],
    ["lacks the scope", { scopes: ["read"] }, {}, "forbidden"],
  ] as const)("refuses a key that %s", async (_, key, changes, code) => {
    const tenant = await newTenant(undefined, {
      ...key,
      scopes: [...("scopes" in key ? key.scopes : ["run" as const])],
    });
    const answer = await tenant.admit(request(changes));
    expect(answer).toMatchObject({ kind: "refused", failure: { code } });
  });

  it("refuses a revoked key at once", async () => {
    const tenant = await newTenant();
    expect(await tenant.admit(request())).toMatchObject({ kind: "admitted" });
    await tenant.revokeKey("aaaaaaaaaaaaaaaaa", "2026-11-22T00:00:00Z");
    expect(await tenant.admit(request())).toMatchObject({
      failure: { code: "unauthenticated", reason: "the key is revoked" },
    });
  });

  it("holds concurrency to its limit, and frees a place by a settlement", async () => {
    const tenant = await newTenant({ maxConcurrent: 2 });
    const [first, second] = [request({ policyVersion: 1 }), request({ policyVersion: 1 })];
    await tenant.admit(first);
    await tenant.admit(second);
    expect(await tenant.admit(request({ policyVersion: 1 }))).toMatchObject({
      failure: { code: "concurrency_limited", limit: 2 },
    });
    const third = request({ policyVersion: 1, settlements: [settlement(first.runId)] });
    expect(await tenant.admit(third)).toMatchObject({ kind: "admitted" });
  });

  it("frees the place of a run that nobody settles when its lease ends", async () => {
    const tenant = await newTenant({ maxConcurrent: 1 });
    await tenant.admit(request({ policyVersion: 1, leaseMs: 0 }));
    expect(await tenant.admit(request({ policyVersion: 1 }))).toMatchObject({ kind: "admitted" });
  });

  it("lets a repeated request in again without charging it twice", async () => {
    const tenant = await newTenant({ rateLimit: { requests: 1, windowS: 3_600, burst: 5 } });
    const once = request({ policyVersion: 1 });
    await tenant.admit(once);
    const again = await tenant.admit(once);
    expect(again).toMatchObject({ kind: "admitted" });
    expect(await tenant.overview(null, TODAY)).toMatchObject({ underWay: 1 });
    expect(await remainingOf(tenant, "tenant")).toBe(4);
  });

  it("takes nothing for a look, nor for what another limit refuses", async () => {
    const tenant = await newTenant({
      maxConcurrent: 1,
      rateLimit: { requests: 1, windowS: 3_600, burst: 5 },
    });
    await tenant.admit(request({ policyVersion: 1, mode: "look" }));
    await tenant.admit(request({ policyVersion: 1 }));
    await tenant.admit(request({ policyVersion: 1 }));
    expect(await remainingOf(tenant, "tenant")).toBe(4);
  });

  it("limits a key by its own rate beside the tenant's", async () => {
    const rate = { requests: 1, windowS: 3_600, burst: 1 };
    const tenant = await newTenant(undefined, { rate });
    await tenant.admit(request());
    expect(await tenant.admit(request())).toMatchObject({
      failure: { code: "rate_limited", policy: "key" },
    });
    expect(await tenant.admit(request({ keyId: null }))).toMatchObject({ kind: "admitted" });
  });

  it("holds the quota of runs, and of CPU once it is used", async () => {
    const tenant = await newTenant({ quota: { runsPerDay: 2, cpuMsPerDay: 100 } });
    const first = request({ policyVersion: 1 });
    await tenant.admit(first);
    const used = settlement(first.runId, { cpuMs: 100 });
    expect(await tenant.admit(request({ policyVersion: 1, settlements: [used] }))).toMatchObject({
      failure: { code: "quota_exceeded", policy: "cpu-ms-per-day" },
    });
    await tenant.setOverrides({ quota: { runsPerDay: 1, cpuMsPerDay: null } });
    expect(await tenant.admit(request({ policyVersion: 2 }))).toMatchObject({
      failure: { code: "quota_exceeded", policy: "runs-per-day" },
    });
  });

  it("answers a request that was planned with other overrides with the ones in force", async () => {
    const overrides = { maxConcurrent: 7 };
    const tenant = await newTenant(overrides);
    expect(await tenant.admit(request())).toEqual({
      kind: "policy_changed",
      policy: { version: 1, overrides },
    });
    expect(await tenant.overview(null, TODAY)).toMatchObject({ underWay: 0 });
  });
});

describe("settle()", () => {
  it("counts a run's use once, however often it is told", async () => {
    const tenant = await newTenant();
    const admitted = request();
    await tenant.admit(admitted);
    await tenant.settle([settlement(admitted.runId), settlement(admitted.runId)]);
    await tenant.settle([settlement(admitted.runId)]);
    const { usage } = await tenant.overview(null, TODAY);
    expect(usage).toEqual([{ day: TODAY, lane: "isolate", runs: 1, cpuMs: 5, wallMs: 7 }]);
  });

  it("gives back what a run took that the platform refused", async () => {
    const tenant = await newTenant({ rateLimit: { requests: 1, windowS: 3_600, burst: 5 } });
    const admitted = request({ policyVersion: 1 });
    await tenant.admit(admitted);
    await tenant.settle([settlement(admitted.runId, { refunded: true, cpuMs: 0, wallMs: 0 })]);
    expect(await remainingOf(tenant, "tenant")).toBe(5);
    expect(await tenant.overview(null, TODAY)).toMatchObject({
      underWay: 0,
      usage: [{ runs: 0, cpuMs: 0 }],
    });
  });
});

describe("after the object is evicted from memory", () => {
  it("keys, revocations, overrides and use are as before", async () => {
    const tenant = await newTenant({ maxConcurrent: 3 });
    const revoked = keyInfo({ keyId: "abbbbbbbbbbbbbbbb", scopes: ["run"], name: "old" });
    await tenant.addKey(revoked);
    await tenant.revokeKey(revoked.keyId, "2026-11-22T01:00:00.000Z");
    const admitted = request({ policyVersion: 1 });
    await tenant.admit(admitted);
    await tenant.settle([settlement(admitted.runId)]);
    expect(await runDurableObjectAlarm(tenant)).toBe(true);

    await evictDurableObject(tenant);

    expect(await tenant.admit(request({ keyId: revoked.keyId, policyVersion: 1 }))).toMatchObject({
      failure: { reason: "the key is revoked" },
    });
    expect(await tenant.admit(request())).toMatchObject({
      kind: "policy_changed",
      policy: { version: 1, overrides: { maxConcurrent: 3 } },
    });
    expect(await tenant.keys()).toMatchObject([{ keyId: "aaaaaaaaaaaaaaaaa" }, { name: "old" }]);
    const { usage } = await tenant.overview(null, TODAY);
    expect(usage).toEqual([{ day: TODAY, lane: "isolate", runs: 1, cpuMs: 5, wallMs: 7 }]);
  });

  it("the version of the overrides goes on growing after they were cleared", async () => {
    const tenant = await newTenant({ maxConcurrent: 3 });
    await tenant.setOverrides({});
    await evictDurableObject(tenant);
    expect(await tenant.setOverrides({})).toEqual({ version: 3, overrides: {} });
  });

  it("use that is counted again is added to what was written", async () => {
    const tenant = await newTenant();
    for (let i = 0; i < 2; i++) {
      const admitted = request();
      await tenant.admit(admitted);
      await tenant.settle([settlement(admitted.runId)]);
      await runDurableObjectAlarm(tenant);
      await evictDurableObject(tenant);
    }
    expect(await tenant.overview(null, TODAY)).toMatchObject({ usage: [{ runs: 2, cpuMs: 10 }] });
  });
});

it("writes no row for a run: a hundred of them are one, written once", async () => {
  const tenant = await newTenant({ rateLimit: { requests: 1_000, windowS: 1, burst: 1_000 } });
  await runInDurableObject(tenant, async (instance, state) => {
    const written: string[] = [];
    const { sql } = state.storage;
    const exec = sql.exec.bind(sql);
    Object.defineProperty(sql, "exec", {
      value: (query: string, ...bindings: unknown[]) => {
        if (!query.startsWith("SELECT")) written.push(query);
        return exec(query, ...bindings);
      },
    });
    for (let i = 0; i < 100; i++) {
      const admitted = request({ policyVersion: 1 });
      expect(instance.admit(admitted)).toMatchObject({ kind: "admitted" });
      instance.settle([settlement(admitted.runId)]);
    }
    expect(written).toEqual([]);

    await instance.alarm();

    expect(written.filter((query) => query.includes("INSERT INTO usage"))).toHaveLength(1);
    expect(exec("SELECT runs FROM usage").toArray()).toEqual([{ runs: 100 }]);
    await instance.alarm();
    expect(written.filter((query) => query.includes("INSERT INTO usage"))).toHaveLength(1);
  });
});

it("makes room for a key above the most by forgetting a revoked one, else refuses", async () => {
  const tenant = await newTenant();
  await runInDurableObject(tenant, (instance) => {
    const nameOf = (i: number) =>
      `a${base32(Uint8Array.from({ length: 10 }, (_, at) => i >> (8 * at)))}`;
    for (let i = 1; i < KEYS_MAX; i++) instance.addKey(keyInfo({ keyId: nameOf(i) }));
    const extra = keyInfo({ keyId: "azzzzzzzzzzzzzzzz" });
    expect(instance.addKey(extra)).toMatchObject({ ok: false, failure: { code: "forbidden" } });
    instance.revokeKey("aaaaaaaaaaaaaaaaa", "2026-11-22T00:00:00Z");
    expect(instance.addKey(extra)).toMatchObject({ ok: true });
    expect(instance.authorize("aaaaaaaaaaaaaaaaa", "run")).toMatchObject({ ok: false });
  });
});

async function remainingOf(tenant: DurableObjectStub<Tenant>, name: string): Promise<number> {
  const { reports } = await tenant.overview(null, TODAY);
  return reports.find((report) => report.name === name)?.remaining ?? Number.NaN;
}
