import { describe, expect, it, vi } from "vitest";

import { parseApiKey } from "../../protocol/api-key.ts";
import {
  ADMIN,
  bearer,
  call,
  ended,
  newKey,
  newTenantId,
  playExecutors,
  postRun,
  problemOf,
  setOverrides,
} from "./support.ts";

const admin = (path: string, method = "GET", body?: unknown) =>
  call(`/admin${path}`, {
    method,
    headers: ADMIN,
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });

describe("the operator's token", () => {
  it.each([
    [undefined],
    ["Bearer wrong"],
    [`Bearer ${"t".repeat(31)}`],
    [`Basic ${"t".repeat(32)}`],
  ])("is needed: %s is not enough", async (authorization) => {
    const headers = authorization === undefined ? {} : { Authorization: authorization };
    for (const path of ["/admin/tenants", "/admin/tenants/acme", "/admin/tenants/acme/keys"]) {
      expect(await problemOf(await call(path, { headers }))).toMatchObject({ status: 401 });
    }
  });

  it("is not a tenant's key", async () => {
    const { key } = await newKey();
    expect((await call("/admin/tenants", { headers: bearer(key) })).status).toBe(401);
    expect((await call("/v1/limits", { headers: ADMIN })).status).toBe(401);
  });
});

describe("keys", () => {
  it("are minted with what was asked, and work", async () => {
    const tenant = newTenantId();
    const response = await admin(`/tenants/${tenant}/keys`, "POST", {
      name: "ci",
      scopes: ["run"],
    });
    expect(response.status).toBe(201);
    expect(response.headers.get("Cache-Control")).toBe("no-store");
    const minted: { key: string; keyId: string } = await response.json();
    expect(minted).toMatchObject({ tenant, name: "ci", scopes: ["run"], expiresAt: null });
    expect(parseApiKey(minted.key)).toMatchObject({ tenant, keyId: minted.keyId });
    playExecutors(ended());
    expect((await postRun(minted.key)).status).toBe(200);
    vi.restoreAllMocks();
  });

  it("are listed without what makes them work", async () => {
    const { tenant, key, keyId } = await newKey();
    const text = await (await admin(`/tenants/${tenant}/keys`)).text();
    expect(JSON.parse(text)).toMatchObject({ tenant, keys: [{ keyId, revokedAt: null }] });
    expect(text).not.toContain(key.slice(-26));
  });

  it("are revoked once, and that again changes nothing", async () => {
    const { tenant, keyId } = await newKey();
    const first: unknown = await (await admin(`/tenants/${tenant}/keys/${keyId}`, "DELETE")).json();
    expect(first).toMatchObject({ keyId, revokedAt: expect.any(String) });
    const again = await admin(`/tenants/${tenant}/keys/${keyId}`, "DELETE");
    expect(await again.json()).toEqual(first);
  });

  it.each([["baaaaaaaaaaaaaaaa"], ["nonsense"]])(
    "that are not there cannot be revoked: %s",
    async (keyId) => {
      const { tenant } = await newKey();
      const response = await admin(`/tenants/${tenant}/keys/${keyId}`, "DELETE");
      expect(await problemOf(response)).toMatchObject({ status: 404 });
    },
  );

  it.each([
    [{ scope: ["run"] }, "scope"],
    [{ scopes: ["admin"] }, "scopes.0"],
    [{ scopes: [] }, "scopes"],
    [{ expiresAt: "tomorrow" }, "expiresAt"],
    [{ expiresAt: "2020-01-01T00:00:00Z" }, "expiresAt"],
    [{ rate: { requests: 1, windowS: 1, burst: 4 } }, "rate.burst"],
    ['{"name":"a","name":"b"}', "name"],
    ['{"input":1}', "input"],
    ["{", ""],
  ])("are not minted for %j", async (body, path) => {
    const response = await admin(`/tenants/${newTenantId()}/keys`, "POST", body);
    expect(await problemOf(response)).toMatchObject({ status: 400, issues: [{ path }] });
  });

  it.each(["Acme", "a_b", "a".repeat(41)])("are not minted for a tenant named %s", async (id) => {
    const response = await admin(`/tenants/${id}/keys`, "POST", {});
    expect(await problemOf(response)).toMatchObject({
      status: 400,
      issues: [{ path: "tenant" }],
    });
  });
});

describe("overrides", () => {
  const overrides = { maxConcurrent: 5, net: ["*.example.com"], quota: { runsPerDay: null } };

  it("are none, then what was put, then none again", async () => {
    const { tenant } = await newKey();
    const show = async (): Promise<unknown> => (await admin(`/tenants/${tenant}`)).json();
    expect(await show()).toEqual({ tenant, version: 0, overrides: {} });
    await setOverrides(tenant, overrides);
    expect(await show()).toEqual({ tenant, version: 1, overrides });
    expect((await admin(`/tenants/${tenant}`, "DELETE")).status).toBe(204);
    expect(await show()).toEqual({ tenant, version: 2, overrides: {} });
  });

  it.each([
    [{ maxConcurent: 1 }, "maxConcurent"],
    [{ maxConcurrent: -1 }, "maxConcurrent"],
    [{ rateLimit: { requests: 1, windowS: 1 } }, "rateLimit.burst"],
    [{ rateLimit: { requests: 1, windowS: 1, burst: 4 } }, "rateLimit.burst"],
    [{ isolate: { modes: [] } }, "isolate.modes"],
    [{ isolate: { limits: { wallMs: { default: 9 } } } }, "isolate.limits.wallMs.default"],
    [{ isolate: { limits: { cpuMs: { default: 9, maximum: 8 } } } }, "isolate.limits.cpuMs"],
    [{ net: ["not a host"] }, "net.0"],
  ])("are refused as %j", async (body, path) => {
    const response = await admin(`/tenants/${newTenantId()}`, "PUT", body);
    expect(await problemOf(response)).toMatchObject({ status: 400, issues: [{ path }] });
  });
});

it("every change is logged, with whom it was about", async () => {
  const { tenant, keyId } = await newKey();
  await setOverrides(tenant, {});
  await admin(`/tenants/${tenant}/keys/${keyId}`, "DELETE");
  await admin(`/tenants/${tenant}`, "DELETE");
  const { changes }: { changes: { tenant: string }[] } = await (await admin("/changes")).json();
  expect(changes.filter((change) => change.tenant === tenant)).toMatchObject([
    { action: "overrides.clear", subject: "" },
    { action: "key.revoke", subject: keyId },
    { action: "overrides.set", subject: "" },
    { action: "key.create", subject: keyId },
  ]);
});

describe("the list of tenants", () => {
  it("has those with a key, page by page", async () => {
    const prefix = `page-${crypto.randomUUID().slice(0, 8)}`;
    for (const name of ["a", "b", "c"]) await newKey(`${prefix}-${name}`);
    await setOverrides(`${prefix}-d`, {});
    const names: string[] = [];
    let cursor: string | null = `${prefix}-`;
    while (cursor !== null && names.length < 3) {
      const response = await admin(`/tenants?limit=2&cursor=${cursor}`);
      const page: { tenants: { tenant: string }[]; cursor: string | null } = await response.json();
      names.push(
        ...page.tenants.map(({ tenant }) => tenant).filter((name) => name.startsWith(prefix)),
      );
      cursor = page.cursor;
    }
    expect(names).toEqual([`${prefix}-a`, `${prefix}-b`, `${prefix}-c`]);
  });

  it.each(["0", "1001", "many", "-1"])("is not given by %s", async (limit) => {
    expect(await problemOf(await admin(`/tenants?limit=${limit}`))).toMatchObject({ status: 400 });
  });
});
