import { afterEach, describe, expect, it, vi } from "vitest";

import { parseSignature, SIGNATURE_HEADER } from "../../protocol/signature.ts";
import {
  bearer,
  call,
  consoleLine,
  ended,
  executorResult,
  linesOf,
  newKey,
  playExecutors,
  postRun,
  problemOf,
  setOverrides,
} from "./support.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

const SCRIPT = { language: "typescript", code: "export default 1" };

describe("POST /v1/run", () => {
  it("answers with the run's result and the limits it had", async () => {
    const { tenant, key } = await newKey();
    playExecutors(
      ended({
        stdout: "hi\n",
        console: [consoleLine("hi")],
        usage: { queueMs: 1, wallMs: 2.5, cpuMs: 1, memoryPeakBytes: 9, fetches: 0 },
      }),
    );

    const response = await postRun(key, { ...SCRIPT, limits: { wallMs: 100 } });

    expect(response.status).toBe(200);
    expect(response.headers.get("Content-Type")).toBe("application/json");
    expect(response.headers.get("X-Content-Type-Options")).toBe("nosniff");
    expect(await response.json()).toEqual({
      id: expect.stringMatching(/^run_[a-z2-7]{26}$/),
      jobId: null,
      lane: "isolate",
      route: { lane: "isolate", reason: expect.any(String) },
      executor: "sandbox-1",
      outcome: "ok",
      certainty: "certain",
      retrySafe: true,
      value: 3,
      encoding: "json",
      stdout: "hi\n",
      stderr: "",
      console: [consoleLine("hi")],
      exitCode: null,
      signal: null,
      error: null,
      truncated: null,
      artifacts: [],
      usage: { queueMs: 1, wallMs: 2.5, cpuMs: 1, memoryPeakBytes: 9, fetches: 0 },
      limits: {
        wallMs: { value: 100, setBy: "request" },
        cpuMs: { value: 1_000, setBy: "ISOLATE_CPU_MS" },
        memoryMb: { value: 64, setBy: "ISOLATE_MEMORY_MB" },
        outputBytes: { value: 1_048_576, setBy: "ISOLATE_OUTPUT_BYTES" },
      },
    });
    expect(tenant).toMatch(/^t/);
  });

  it("sends the order and the work as two signed lines, the input as its own text", async () => {
    const { tenant, key } = await newKey();
    const seen = playExecutors(ended());

    await postRun(key, '{"language":"javascript","code":"x","input":{"big":1.10e2,"b":[ ]}}');

    const [request] = seen;
    expect(request?.url).toBe("http://sandbox.test/v1/runs");
    expect(parseSignature(request?.headers.get(SIGNATURE_HEADER) ?? "")).toBeDefined();
    const [order = "", work = "", ...rest] = (request?.body ?? "").split("\n");
    expect(rest).toEqual([]);
    expect(JSON.parse(order)).toEqual({
      runId: expect.stringMatching(/^run_/),
      tenant,
      tenantMaxConcurrent: 32,
      isolation: "tenant",
      caps: {
        wallMs: 5_000,
        cpuMs: 1_000,
        memoryMb: 64,
        outputBytes: 1_048_576,
        resultBytes: 1_048_576,
        fetches: 50,
        fetchMs: 10_000,
        fetchBytes: 8_388_608,
        pendingOps: 1_000,
      },
      net: [],
      stream: false,
      affinity: null,
    });
    expect(JSON.parse(work)).toEqual({
      language: "javascript",
      entry: "main.js",
      modules: { "main.js": "x" },
      inputJson: '{"big":1.10e2,"b":[ ]}',
      request: null,
      env: {},
    });
  });

  it("puts the value's text into the answer as it is", async () => {
    const { key } = await newKey();
    const valueJson = '{"$type":"bigint", "value":"1e0"}';
    playExecutors(ended({ valueJson, encoding: "tagged" }));
    const text = await (await postRun(key)).text();
    expect(text).toContain(`"value":${valueJson},`);
    expect(JSON.parse(text)).toMatchObject({ encoding: "tagged" });
  });

  it("gives a user's failure as an outcome, not as an HTTP error", async () => {
    const { key } = await newKey();
    const error = { name: "Error", message: "no", stack: "Error: no\n    at main.ts:1:7" };
    playExecutors(ended({ outcome: "failed", valueJson: null, encoding: null, error }));
    const response = await postRun(key);
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ outcome: "failed", value: null, error });
  });

  it("tells a run that was granted the network and failed from one that is safe to repeat", async () => {
    const { key } = await newKey();
    playExecutors(ended());
    const body = { ...SCRIPT, permissions: { net: ["api.example.com"] } };
    expect(await (await postRun(key, body)).json()).toMatchObject({ retrySafe: false });
    expect(await (await postRun(key)).json()).toMatchObject({ retrySafe: true });
  });

  it("takes the key from x-api-key, too", async () => {
    const { key } = await newKey();
    playExecutors(ended());
    const response = await call("/v1/run", {
      method: "POST",
      headers: { "X-Api-Key": key, "Content-Type": "application/json; charset=utf-8" },
      body: JSON.stringify(SCRIPT),
    });
    expect(response.status).toBe(200);
  });

  it("asks by the tenant's overrides, the first time as later", async () => {
    const { tenant, key } = await newKey();
    await setOverrides(tenant, {
      maxConcurrent: 7,
      isolate: { modes: ["run"], limits: { wallMs: { default: 60_000, maximum: 90_000 } } },
    });
    const seen = playExecutors(ended());
    for (let i = 0; i < 2; i++) {
      await postRun(key);
      const order: unknown = JSON.parse(seen[i]?.body.split("\n", 1)[0] ?? "");
      expect(order).toMatchObject({
        isolation: "run",
        tenantMaxConcurrent: 7,
        caps: { wallMs: 60_000 },
      });
    }
    await setOverrides(tenant, {});
    expect(await (await postRun(key)).json()).toMatchObject({
      limits: { wallMs: { value: 5_000, setBy: "ISOLATE_WALL_MS" } },
    });
  });
});

describe("rate limit headers", () => {
  it("are on an answer, the tightest limit first", async () => {
    const { tenant, key } = await newKey();
    await setOverrides(tenant, {
      rateLimit: { requests: 60, windowS: 60, burst: 10 },
      quota: { runsPerDay: 5 },
    });
    playExecutors(ended());
    const { headers } = await postRun(key);
    expect(headers.get("RateLimit-Policy")).toBe(
      '"runs-per-day";q=5;w=86400, "tenant";q=60;w=60;burst=10, "concurrency";q=32;qu="concurrent-requests"',
    );
    expect(headers.get("RateLimit")).toMatch(
      /^"runs-per-day";r=4;t=\d+, "tenant";r=9;t=1, "concurrency";r=31$/,
    );
  });

  it("are on a refusal, with a Retry-After that is not before the limit's t", async () => {
    const { tenant, key } = await newKey();
    await setOverrides(tenant, { rateLimit: { requests: 1, windowS: 3_600, burst: 5 } });
    playExecutors(ended());
    for (let i = 0; i < 5; i++) await postRun(key);

    const response = await postRun(key);

    expect(await problemOf(response)).toMatchObject({
      code: "rate_limited",
      status: 429,
      "violated-policies": ["tenant"],
    });
    const t = Number(/^"tenant";r=0;t=(\d+)/.exec(response.headers.get("RateLimit") ?? "")?.[1]);
    expect(t).toBeGreaterThan(3_000);
    expect(Number(response.headers.get("Retry-After"))).toBeGreaterThanOrEqual(t);
  });

  it("are on an answer to a body that could not be read, which costs nothing", async () => {
    const { key } = await newKey();
    const response = await postRun(key, "{");
    expect(response.status).toBe(400);
    expect(response.headers.get("RateLimit")).toContain('"tenant";r=100');
  });

  it("say what is left after a run that the platform refused: as much as before", async () => {
    const { tenant, key } = await newKey();
    await setOverrides(tenant, { rateLimit: { requests: 1, windowS: 3_600, burst: 5 } });
    playExecutors(new Error("Network connection lost."));
    expect((await postRun(key)).status).toBe(503);
    const response = await postRun(key, "{");
    expect(response.headers.get("RateLimit")).toContain('"tenant";r=5');
  });
});

describe("?dry_run=true", () => {
  it("says what would happen, runs nothing and takes nothing", async () => {
    const { key } = await newKey();
    const seen = playExecutors(ended());
    const response = await postRun(key, SCRIPT, { query: "?dry_run=true" });
    expect(await response.json()).toMatchObject({
      dryRun: true,
      lane: "isolate",
      route: { reason: expect.any(String) },
      isolation: "tenant",
      limits: { wallMs: { value: 5_000, setBy: "ISOLATE_WALL_MS" } },
      admission: { admitted: true, problem: null },
    });
    expect(seen).toEqual([]);
    expect(response.headers.get("RateLimit")).toContain('"tenant";r=100');
  });

  it("says which limit would refuse the run", async () => {
    const { tenant, key } = await newKey();
    await setOverrides(tenant, { quota: { runsPerDay: 0 } });
    const response = await postRun(key, SCRIPT, { query: "?dry_run=true" });
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({
      admission: { admitted: false, problem: { code: "quota_exceeded", status: 429 } },
    });
  });

  it("refuses what a run would be refused for", async () => {
    const { key } = await newKey();
    const body = { ...SCRIPT, limits: { wallMs: 1 } };
    const response = await postRun(key, body, { query: "?dry_run=true" });
    expect(await problemOf(response)).toMatchObject({ code: "limit_out_of_range" });
  });
});

describe("concurrency", () => {
  it("a run's place is free for the tenant's next run", async () => {
    const { tenant, key } = await newKey();
    await setOverrides(tenant, { maxConcurrent: 1 });
    playExecutors(ended());
    for (let i = 0; i < 3; i++) expect((await postRun(key)).status).toBe(200);
  });

  it("holds while a run is under way", async () => {
    const { tenant, key } = await newKey();
    await setOverrides(tenant, { maxConcurrent: 1 });
    let isOver = false;
    const seen = playExecutors(async (request) => {
      await vi.waitUntil(() => isOver, 5_000);
      return ended()(request);
    });
    const first = postRun(key);
    await vi.waitUntil(() => seen.length === 1);

    const second = await postRun(key);
    expect(await problemOf(second)).toMatchObject({
      code: "concurrency_limited",
      status: 429,
      "violated-policies": ["concurrency"],
    });
    expect(second.headers.get("Retry-After")).toBe("1");

    isOver = true;
    expect((await first).status).toBe(200);
    expect((await postRun(key)).status).toBe(200);
  });
});

it("use is counted under the tenant, by day and lane", async () => {
  const { key } = await newKey();
  const usage = { queueMs: 0, wallMs: 4, cpuMs: 3, memoryPeakBytes: 0, fetches: 0 };
  playExecutors(linesOf({ end: executorResult({ usage }) }));
  await postRun(key);
  await postRun(key);
  const response = await call("/v1/usage?days=1", { headers: bearer(key) });
  expect(await response.json()).toMatchObject({
    usage: [{ lane: "isolate", runs: 2, cpuMs: 6, wallMs: 8 }],
  });
});
