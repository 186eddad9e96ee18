import { type Context, Hono } from "hono";
import type { z } from "zod";

import { CONTROL_NAME } from "../../durable-objects/control/control.ts";
import { KEY_ID, TENANT_ID } from "../../protocol/api-key.ts";
import { FailureError } from "../../protocol/failure.ts";
import type { Result } from "../../protocol/result.ts";
import {
  type KeyInfo,
  KeyRequest,
  type MintedKey,
  TenantOverrides,
} from "../../protocol/tenant.ts";
import type { AppEnv } from "../app-env.ts";
import { requireAdmin } from "../middleware/require-admin.ts";
import { readEnvelope } from "../request/envelope.ts";
import { issuesOf } from "../request/issues.ts";

/** What an operator may do. Every change is noted in Control before it is made. */
export const admin = new Hono<AppEnv>();

admin.use("/admin/*", requireAdmin);

const PAGE_DEFAULT = 100;
const PAGE_MAX = 1_000;

admin.post("/admin/sweep", async (c) => c.json({ tenantsAsked: await control(c).sweep() }));

admin.get("/admin/tenants", async (c) => {
  const cursor = c.req.query("cursor") ?? "";
  return c.json(await control(c).tenants(cursor.slice(0, 40), pageSizeOf(c)));
});

admin.get("/admin/changes", async (c) =>
  c.json({ changes: await control(c).changes(pageSizeOf(c)) }),
);

admin.get("/admin/tenants/:id", async (c) => {
  const tenant = tenantOf(c);
  const { version, overrides } = await tenantObject(c, tenant).policy();
  return c.json({ tenant, version, overrides });
});

admin.put("/admin/tenants/:id", async (c) => {
  const tenant = tenantOf(c);
  const overrides = await readBody(c, TenantOverrides);
  refuseUnusableBurst(c, overrides.rateLimit?.burst, "rateLimit.burst");
  await control(c).note({ action: "overrides.set", tenant, subject: "" });
  const policy = await tenantObject(c, tenant).setOverrides(overrides);
  return c.json({ tenant, version: policy.version, overrides });
});

admin.delete("/admin/tenants/:id", async (c) => {
  const tenant = tenantOf(c);
  await control(c).note({ action: "overrides.clear", tenant, subject: "" });
  await tenantObject(c, tenant).setOverrides({});
  return c.body(null, 204);
});

admin.post("/admin/tenants/:id/keys", async (c) => {
  const tenant = tenantOf(c);
  const request = await readBody(c, KeyRequest);
  refuseUnusableBurst(c, request.rate?.burst, "rate.burst");
  const { name, scopes, expiresAt, rate } = request;
  if (expiresAt !== null && Date.parse(expiresAt) <= Date.now()) {
    throw malformed("expiresAt", "must be in the future");
  }
  const { keyId, key } = await c.get("services").keys.mint(tenant);
  await control(c).note({ action: "key.create", tenant, subject: keyId });
  const createdAt = new Date().toISOString();
  const info: KeyInfo = { keyId, name, scopes, createdAt, expiresAt, revokedAt: null, rate };
  unwrap(await tenantObject(c, tenant).addKey(info));
  const minted: MintedKey = { tenant, keyId, key, name, scopes, expiresAt };
  c.header("Cache-Control", "no-store");
  return c.json(minted, 201);
});

admin.get("/admin/tenants/:id/keys", async (c) => {
  const tenant = tenantOf(c);
  return c.json({ tenant, keys: await tenantObject(c, tenant).keys() });
});

admin.delete("/admin/tenants/:id/keys/:keyId", async (c) => {
  const tenant = tenantOf(c);
  const keyId = c.req.param("keyId");
  if (!KEY_ID.test(keyId)) throw new FailureError({ code: "not_found", what: "this key" });
  await control(c).note({ action: "key.revoke", tenant, subject: keyId });
  const revoked = unwrap(await tenantObject(c, tenant).revokeKey(keyId, new Date().toISOString()));
  return c.json(revoked);
});

function pageSizeOf(c: Context<AppEnv>): number {
  const asked = c.req.query("limit") ?? String(PAGE_DEFAULT);
  const limit = /^[0-9]{1,4}$/.test(asked) ? Number(asked) : 0;
  if (limit >= 1 && limit <= PAGE_MAX) return limit;
  throw malformed("limit", `must be a whole number from 1 to ${PAGE_MAX}`);
}

function tenantOf(c: Context<AppEnv>): string {
  const tenant = c.req.param("id") ?? "";
  if (!TENANT_ID.test(tenant)) {
    throw malformed("tenant", "must be 1 to 40 characters of a-z, 0-9 and -");
  }
  return tenant;
}

/** An empty body is an empty object. */
async function readBody<T extends z.ZodType>(c: Context<AppEnv>, schema: T): Promise<z.infer<T>> {
  const text = await c.req.text();
  const envelope = unwrap(readEnvelope(text.trim() === "" ? "{}" : text));
  if (envelope.inputJson !== null) throw malformed("input", "is not a known field");
  const parsed = schema.safeParse(envelope.fields);
  if (parsed.success) return parsed.data;
  throw new FailureError({ code: "malformed_request", issues: issuesOf(parsed.error) });
}

/** A burst below a lane's weight could never admit a run there, however long one waits. */
function refuseUnusableBurst(c: Context<AppEnv>, burst: number | undefined, path: string): void {
  const heaviest = Math.max(...Object.values(c.get("services").config.laneWeights));
  if (burst === undefined || burst >= heaviest) return;
  throw malformed(path, `must be at least ${heaviest}, what the heaviest lane takes of it`);
}

const control = (c: Context<AppEnv>) => c.env.CONTROL.getByName(CONTROL_NAME);

const tenantObject = (c: Context<AppEnv>, tenant: string) => c.env.TENANT.getByName(tenant);

function unwrap<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  throw new FailureError(result.failure);
}

const malformed = (path: string, message: string): FailureError =>
  new FailureError({ code: "malformed_request", issues: [{ path, message }] });
