import { describe, expect, it } from "vitest";

import { readConfig } from "../../../gateway/config.ts";
import { planIsolateRun } from "../../../gateway/request/isolate-plan.ts";
import { resolveIsolation } from "../../../gateway/request/isolation.ts";
import { warmAffinity } from "../../../gateway/request/warm-affinity.ts";
import { ScriptRequest } from "../../../protocol/run-request.ts";
import { NO_OVERRIDES, type TenantOverrides } from "../../../protocol/tenant.ts";

const config = readConfig({
  KEY_SIGNING_SECRET: `a:${"k".repeat(32)}`,
  EXECUTOR_SECRET: `a:${"e".repeat(32)}`,
  ADMIN_TOKEN: "t".repeat(32),
  SANDBOX_URLS: "http://127.0.0.1:1",
  ISOLATE_SOURCE_BYTES: "100",
  ISOLATE_INPUT_BYTES: "50",
});

it.each([
  [["run", "tenant", "warm"], undefined, "tenant"],
  [["run"], undefined, "run"],
  [["run", "warm"], "warm", "warm"],
] as const)("of %j and the wish %s the isolation is %s", (allowed, asked, isolation) => {
  expect(resolveIsolation(allowed, asked)).toEqual({ ok: true, value: isolation });
});

it("an isolation outside the tenant's policy is forbidden", () => {
  expect(resolveIsolation(["run"], "warm")).toMatchObject({ failure: { code: "forbidden" } });
});

describe("planIsolateRun()", () => {
  const plan = (fields: object, inputJson: string | null = null, overrides: TenantOverrides = {}) =>
    planIsolateRun(
      ScriptRequest.parse({ language: "typescript", code: "1", ...fields }),
      inputJson,
      { version: 1, overrides },
      config,
    );

  it("sends the code as the entry among its modules, and the input as it is", () => {
    expect(plan({ modules: { "lib/a.ts": "2" } }, "1.0")).toMatchObject({
      value: {
        work: {
          entry: "main.ts",
          modules: { "main.ts": "1", "lib/a.ts": "2" },
          inputJson: "1.0",
          request: null,
        },
        maxConcurrent: 32,
      },
    });
  });

  it("refuses a module in the entry's place", () => {
    expect(plan({ modules: { "main.ts": "" } })).toMatchObject({
      failure: { code: "malformed_request", issues: [{ path: "modules.main.ts" }] },
    });
    expect(plan({ language: "javascript", modules: { "main.ts": "" } })).toMatchObject({
      ok: true,
    });
  });

  it.each([
    ["a".repeat(100), {}, true],
    ["a".repeat(101), {}, false],
    ["é".repeat(50), {}, true],
    ["é".repeat(51), {}, false],
    ["a".repeat(60), { "b.ts": "b".repeat(41) }, false],
  ])("counts the source in bytes, modules included", (code, modules, fits) => {
    const planned = plan({ code, modules });
    const failure = { code: "payload_too_large", what: "source", limitBytes: 100 };
    expect(planned).toMatchObject(fits ? { ok: true } : { ok: false, failure });
  });

  it("counts the input and the request's body together", () => {
    expect(plan({}, "1".repeat(50)).ok).toBe(true);
    expect(plan({ request: { body: "1" } }, "1".repeat(50))).toMatchObject({
      failure: { code: "payload_too_large", what: "input", limitBytes: 50 },
    });
  });

  it("takes concurrency and network from the tenant's overrides", () => {
    expect(plan({}, null, { maxConcurrent: 5 })).toMatchObject({ value: { maxConcurrent: 5 } });
    expect(plan({ permissions: { net: ["a.example"] } }, null, { net: [] })).toMatchObject({
      failure: { code: "forbidden" },
    });
  });
});

describe("warmAffinity()", () => {
  const affinity = (tenant: string, fields: object = {}) => {
    const request = ScriptRequest.parse({
      language: "typescript",
      code: "1",
      isolation: "warm",
      ...fields,
    });
    const planned = planIsolateRun(request, null, NO_OVERRIDES, config);
    if (!planned.ok) throw new Error("could not be planned");
    return warmAffinity(tenant, planned.value);
  };

  it("is the same for the same work, in whatever order it is told", async () => {
    const one = await affinity("a", { env: { X: "1", Y: "2" } });
    expect(one).toMatch(/^[0-9a-f]{64}$/);
    expect(await affinity("a", { env: { Y: "2", X: "1" } })).toBe(one);
  });

  it("differs by all that code could tell from another's", async () => {
    const all = await Promise.all([
      affinity("a"),
      affinity("b"),
      affinity("a", { code: "2" }),
      affinity("a", { language: "javascript" }),
      affinity("a", { env: { X: "1" } }),
      affinity("a", { modules: { "x.ts": "" } }),
      affinity("a", { permissions: { net: ["a.example"] } }),
      affinity("a", { limits: { wallMs: 100 } }),
    ]);
    expect(new Set(all).size).toBe(all.length);
  });

  it("is none for runs that keep nothing", async () => {
    expect(await affinity("a", { isolation: "tenant" })).toBeNull();
  });
});
