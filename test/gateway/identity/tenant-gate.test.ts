import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { createApp } from "../../../gateway/app.ts";
import { bearer, ended, newKey, ORIGIN, playExecutors, problemOf } from "../support.ts";

beforeEach(() => {
  vi.spyOn(console, "error").mockReturnValue();
});
afterEach(() => {
  vi.restoreAllMocks();
});

/** A namespace whose objects fail as `fault` says, the first so many times. */
function failingNamespace(fault: object, times = Infinity): Env["TENANT"] {
  let calls = 0;
  const getByName = (name: string) =>
    new Proxy(env.TENANT.getByName(name), {
      get(stub, method) {
        if (calls++ < times) {
          return () => Promise.reject(Object.assign(new Error("Network connection lost."), fault));
        }
        const methods = stub as unknown as Record<string | symbol, (...args: unknown[]) => unknown>;
        return (...args: unknown[]) => methods[method]?.(...args);
      },
    });
  return new Proxy(env.TENANT, {
    get: (namespace, name) => (name === "getByName" ? getByName : Reflect.get(namespace, name)),
  });
}

async function runWith(variables: object, path = "/v1/run"): Promise<Response> {
  const { key } = await newKey();
  const context = createExecutionContext();
  const isRun = path === "/v1/run";
  const request = new Request(ORIGIN + path, {
    method: isRun ? "POST" : "GET",
    headers: { ...bearer(key), "Content-Type": "application/json" },
    ...(isRun ? { body: '{"language":"javascript","code":"1"}' } : {}),
  });
  const response = await createApp().fetch(request, { ...env, ...variables }, context);
  const text = await response.text();
  await waitOnExecutionContext(context);
  return new Response(text, response);
}

describe("while a tenant's object cannot be reached", () => {
  it("nothing runs unchecked", async () => {
    const seen = playExecutors(ended());
    const response = await runWith({ TENANT: failingNamespace({}) });
    expect(await problemOf(response)).toMatchObject({ status: 503, code: "policy_unavailable" });
    expect(response.headers.get("Retry-After")).toBe("1");
    expect(seen).toEqual([]);
  });

  it("runs go on where POLICY_FAIL_OPEN says so, loudly", async () => {
    const warned = vi.spyOn(console, "warn").mockReturnValue();
    playExecutors(ended());
    const response = await runWith({ TENANT: failingNamespace({}), POLICY_FAIL_OPEN: "true" });
    expect(response.status).toBe(200);
    expect(response.headers.get("RateLimit")).toBeNull();
    expect(warned).toHaveBeenCalledWith(expect.objectContaining({ event: "policy_fail_open" }));
  });

  it("an object that has too much to do is not passed by, even then", async () => {
    playExecutors(ended());
    const TENANT = failingNamespace({ overloaded: true, retryable: true });
    const response = await runWith({ TENANT, POLICY_FAIL_OPEN: "true" });
    expect(await problemOf(response)).toMatchObject({ code: "policy_unavailable" });
  });

  it("what may be asked again is asked again, once", async () => {
    playExecutors(ended());
    const once = await runWith({ TENANT: failingNamespace({ retryable: true }, 1) });
    expect(once.status).toBe(200);
    const twice = await runWith({ TENANT: failingNamespace({ retryable: true }, 2) });
    expect(twice.status).toBe(503);
  });

  it.each(["/v1/limits", "/v1/usage", "/v1/runtimes"])("%s says so", async (path) => {
    const response = await runWith(
      { TENANT: failingNamespace({}), POLICY_FAIL_OPEN: "true" },
      path,
    );
    expect(await problemOf(response)).toMatchObject({ code: "policy_unavailable" });
  });
});
