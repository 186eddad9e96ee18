import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";

import { createApp } from "../../../gateway/app.ts";
import { bearer, newKey, ORIGIN, problemOf } from "../support.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

const JWT = {
  JWKS_URL: "https://id.test/keys",
  JWT_ISSUER: "https://id.test",
  JWT_AUDIENCE: "bulkhead",
  JWT_TENANT_CLAIM: "org",
};

type Keys = Awaited<ReturnType<typeof generateKeyPair>>;
let ours: Keys;
let theirs: Keys;

beforeAll(async () => {
  ours = await generateKeyPair("ES256", { extractable: true });
  theirs = await generateKeyPair("ES256", { extractable: true });
});

const claims = (tenant: string, changes: object = {}) => ({
  iss: JWT.JWT_ISSUER,
  aud: JWT.JWT_AUDIENCE,
  exp: Math.floor(Date.now() / 1000) + 60,
  org: tenant,
  scope: "openid read",
  ...changes,
});

const sign = (payload: object, keys = ours) =>
  new SignJWT({ ...payload }).setProtectedHeader({ alg: "ES256", kid: "1" }).sign(keys.privateKey);

/** Asks for the limits with a token, the identity provider answering as `provider` does. */
async function limitsWith(token: string, provider?: () => Response): Promise<Response> {
  const jwk = { ...(await exportJWK(ours.publicKey)), kid: "1", alg: "ES256" };
  vi.spyOn(globalThis, "fetch").mockImplementation(
    async () => provider?.() ?? Response.json({ keys: [jwk] }),
  );
  const context = createExecutionContext();
  const request = new Request(`${ORIGIN}/v1/limits`, { headers: bearer(token) });
  const response = await createApp().fetch(request, { ...env, ...JWT }, context);
  await waitOnExecutionContext(context);
  return response;
}

describe("a token of the identity provider", () => {
  it("speaks for the tenant in its claim, with its own scopes", async () => {
    const { tenant } = await newKey();
    const response = await limitsWith(await sign(claims(tenant)));
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ tenant });
  });

  it("may do nothing without the scope", async () => {
    const { tenant } = await newKey();
    for (const scope of ["run", "", undefined]) {
      const response = await limitsWith(await sign(claims(tenant, { scope })));
      expect(await problemOf(response)).toMatchObject({ status: 403, code: "forbidden" });
    }
  });

  it.each([
    ["has expired", { exp: 1 }, "the token has expired"],
    ["never expires", { exp: undefined }, "not one of the identity provider's"],
    ["is another service's", { aud: "other" }, "not one of the identity provider's"],
    ["is another issuer's", { iss: "https://evil.test" }, "not one of the identity provider's"],
    ["names no tenant", { org: undefined }, 'the token\'s claim "org" names no tenant'],
    ["names what cannot be a tenant", { org: "../x" }, 'the token\'s claim "org" names no tenant'],
  ])("that %s gets 401", async (_, changes, reason) => {
    const { tenant } = await newKey();
    const problem = await problemOf(await limitsWith(await sign(claims(tenant, changes))));
    expect(problem).toMatchObject({ status: 401 });
    expect(problem.detail).toContain(reason);
  });

  it("of a tenant that nobody registered gets 401", async () => {
    const problem = await problemOf(await limitsWith(await sign(claims("nobody-knows"))));
    expect(problem.detail).toContain("the tenant is not registered");
  });

  it.each([
    ["signed by another key", async (tenant: string) => sign(claims(tenant), theirs)],
    ["without a signature", async (tenant: string) => unsigned(claims(tenant))],
    ["that is none", async () => "a.b.c"],
  ])("%s gets 401", async (_, make) => {
    const { tenant } = await newKey();
    expect((await limitsWith(await make(tenant))).status).toBe(401);
  });

  it("cannot be checked while the provider's keys cannot be read", async () => {
    const { tenant } = await newKey();
    const broken = () => new Response("?", { status: 500 });
    const response = await limitsWith(await sign(claims(tenant)), broken);
    expect(await problemOf(response)).toMatchObject({ status: 503, code: "identity_unavailable" });
    expect(response.headers.get("Retry-After")).toBe("5");
  });

  it("leaves keys as they are", async () => {
    const { tenant, key } = await newKey();
    expect(await (await limitsWith(key)).json()).toMatchObject({ tenant });
  });
});

const unsigned = (payload: object): string =>
  [{ alg: "none" }, payload]
    .map((part) => btoa(JSON.stringify(part)))
    .join(".")
    .replaceAll("=", "") + ".";
