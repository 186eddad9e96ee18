import { describe, expect, test } from "vitest";

import { workerdConfig } from "../../bench/servers/workerd-config.ts";

const worker = {
  name: "bulkhead",
  main: "gateway/index.ts",
  compatibilityDate: "2026-11-01",
  compatibilityFlags: ["enable_request_signal"],
  env: {
    PLAIN: { type: "text", value: 'a "quoted" \\ text' },
    PLANS: { type: "json", value: { free: 1 } },
    TENANT: { type: "durable-object", exportName: "Tenant", worker: "bulkhead" },
    BROWSER: { type: "browser" },
  },
  exports: { Tenant: { type: "durable-object", storage: "sqlite" } },
};
const places = { port: 1234, module: "worker.js", storage: "/dev/shm/x" };

describe("a configuration for workerd", () => {
  const { text, leftOut } = workerdConfig(worker, places);

  test("binds variables as the text literals they are", () => {
    expect(text).toContain(String.raw`(name = "PLAIN", text = "a \"quoted\" \\ text")`);
    expect(text).toContain(String.raw`(name = "PLANS", json = "{\"free\":1}")`);
  });

  test("declares each Durable Object class with SQLite, and binds it", () => {
    expect(text).toContain('(name = "TENANT", durableObjectNamespace = "Tenant")');
    expect(text).toContain('className = "Tenant", uniqueKey = "bulkhead-Tenant", enableSql = true');
  });

  test("keeps date and flags", () => {
    expect(text).toContain('compatibilityDate = "2026-11-01"');
    expect(text).toContain('compatibilityFlags = ["enable_request_signal"]');
  });

  test("names what it leaves out", () => {
    expect(leftOut).toEqual(["BROWSER"]);
  });

  test("refuses a value that its literals cannot carry", () => {
    const env = { ...worker.env, PLAIN: { type: "text", value: "\u0001" } };
    expect(() => workerdConfig({ ...worker, env }, places)).toThrow("control characters");
  });
});
