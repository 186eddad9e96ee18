import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { mapKeys, readWorkerOptions } from "../../scripts/stack/worker-options.ts";

const ROOT = join(import.meta.dirname, "../..");

describe("mapKeys()", () => {
  it("maps variables, objects, a browser and buckets", () => {
    const config = {
      name: "gateway",
      vars: { LIMIT: "5", PLANS: { free: 1 } },
      durable_objects: { bindings: [{ name: "TENANT", class_name: "Tenant" }] },
      exports: { Tenant: { type: "durable-object", storage: "sqlite" } },
      browser: { binding: "BROWSER" },
      r2_buckets: [{ binding: "ARTIFACTS", bucket_name: "artifacts" }],
    };

    expect(mapKeys(config, {})).toEqual({
      env: {
        LIMIT: { type: "text", value: "5" },
        PLANS: { type: "json", value: { free: 1 } },
        TENANT: { type: "durable-object", exportName: "Tenant" },
        BROWSER: { type: "browser" },
        ARTIFACTS: { type: "r2", name: "artifacts" },
      },
      exports: { Tenant: { type: "durable-object", storage: "sqlite" } },
    });
  });

  it("puts the stack's values in place of the file's", () => {
    expect(mapKeys({ vars: { URLS: "http://a" } }, { URLS: "http://b" }).env).toEqual({
      URLS: { type: "text", value: "http://b" },
    });
  });

  it("passes over what only a deployment heeds", () => {
    expect(mapKeys({ observability: { enabled: true } }, {})).toEqual({ env: {}, exports: {} });
  });

  it.each([
    [{ kv_namespaces: [] }, "kv_namespaces"],
    [
      { durable_objects: { bindings: [{ name: "A", class_name: "A", script_name: "b" }] } },
      "script_name",
    ],
    [
      { exports: { A: { type: "durable-object", storage: "sqlite", state: "x" } } },
      "exports.A.state",
    ],
    [{ r2_buckets: [{ binding: "A", bucket_name: "a", jurisdiction: "eu" }] }, "jurisdiction"],
    [{ browser: { binding: "B", remote: true } }, "browser.remote"],
  ])("refuses a key that it does not map: %j", (config, key) => {
    expect(() => mapKeys(config, {})).toThrow(key);
  });

  it("names a required secret that has no value", () => {
    const config = { secrets: { required: ["ADMIN_TOKEN"] } };

    expect(() => mapKeys(config, {})).toThrow("ADMIN_TOKEN");
    expect(mapKeys(config, { ADMIN_TOKEN: "t" }).env).toHaveProperty("ADMIN_TOKEN");
  });
});

it("readWorkerOptions() maps the project's own wrangler.toml", () => {
  const options = readWorkerOptions(join(ROOT, "wrangler.toml"), { ADMIN_TOKEN: "t" });

  expect(options).toMatchObject({
    main: join(ROOT, "gateway/index.ts"),
    env: { TENANT: { type: "durable-object", worker: options.name, exportName: "Tenant" } },
    exports: { Tenant: { storage: "sqlite" } },
  });
});
