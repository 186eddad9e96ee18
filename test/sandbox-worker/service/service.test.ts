import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { BOOT_HEADER, SIGNATURE_WINDOW_MS } from "../../../protocol/signature.ts";
import { runBody, startSandboxService, until } from "../../support/sandbox-service.ts";
import type { SandboxService } from "../../support/sandbox-service.ts";

let service: SandboxService;
beforeAll(async () => {
  service = await startSandboxService({ ISOLATE_MEMORY_MB_MAX: "128" });
});
afterAll(async () => {
  await service.stop();
});

const FOREVER = "export default () => new Promise((resolve) => setTimeout(resolve, 60_000))";
/** No timeout of V8's stops this one. */
const UNINTERRUPTIBLE =
  'console.log("before"); export default () => Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1)';

describe("POST /v1/runs", () => {
  it("runs signed work and answers with one line", async () => {
    const work = { code: "export default (input) => input.a + 1", inputJson: '{"a":1}' };

    const { result, lines } = await service.run({ runId: "run_1" }, work);

    expect(lines).toHaveLength(1);
    expect(result).toMatchObject({
      runId: "run_1",
      outcome: "ok",
      certainty: "certain",
      valueJson: "2",
      encoding: "json",
    });
  });

  it("streams what happens, in order, and ends with the result", async () => {
    const code = 'console.log("one"); console.warn("two"); export default () => 3';

    const { lines } = await service.run({ stream: true }, { code });

    expect(lines).toMatchObject([
      { event: { type: "started" } },
      { event: { type: "console", line: { level: "log", text: "one" } } },
      { event: { type: "console", line: { level: "warn", text: "two" } } },
      { end: { outcome: "ok", valueJson: "3", stdout: "one\n", stderr: "two\n" } },
    ]);
  });

  it("says which module an isolate cannot link", async () => {
    const { lines } = await service.run({}, { code: 'import "node:fs"' });

    expect(lines).toEqual([{ unlinkable: { specifier: "node:fs", importer: "main.js" } }]);
  });

  it.each([
    ["no signature", { headers: {} }],
    ["another form", { headers: { "Bulkhead-Signature": "v2 nonsense" } }],
  ])("refuses %s as bad_signature and names its boot", async (_name, { headers }) => {
    const response = await fetch(`${service.url}/v1/runs`, { method: "POST", headers, body: "x" });

    expect(response.status).toBe(401);
    expect(await response.json()).toEqual({ code: "bad_signature" });
    expect(response.headers.get(BOOT_HEADER)).toBe(service.bootId);
  });

  it.each([
    ["another secret", { secret: "f".repeat(32) }, "bad_signature"],
    ["an unknown secret's name", { secretId: "z" }, "bad_signature"],
    ["another body than was signed", { signedBody: "other" }, "bad_signature"],
    ["a clock behind", { timestampMs: Date.now() - SIGNATURE_WINDOW_MS - 5_000 }, "stale_clock"],
    ["a clock ahead", { timestampMs: Date.now() + SIGNATURE_WINDOW_MS + 60_000 }, "stale_clock"],
    ["another boot", { bootId: "before" }, "unknown_boot"],
  ])("refuses %s", async (_name, options, code) => {
    const response = await service.send(runBody(), options);

    expect(response.status).toBe(401);
    expect(await response.json()).toEqual({ code });
  });

  it("refuses the same signed request a second time", async () => {
    const signing = { nonce: "n".repeat(32), timestampMs: Date.now() };
    const body = runBody();
    const first = await service.send(body, signing);

    const second = await service.send(body, signing);

    expect(first.status).toBe(200);
    expect(second.status).toBe(401);
    expect(await second.json()).toEqual({ code: "replayed" });
  });

  it("refuses a body over the cap", async () => {
    const response = await service.send("x".repeat(8 * 1024 * 1024 + 1));

    expect(response.status).toBe(413);
    expect(await response.json()).toMatchObject({ code: "payload_too_large" });
  });

  it.each([
    ["one line", "{}", "two lines"],
    ["an order that is no JSON", "order\n{}", "not JSON"],
    ["an order of another shape", '{"runId":1}\n{}', "runId"],
    ["caps above the ceiling", runBody({ caps: { memoryMb: 129 } }), "ceiling of 128"],
  ])("refuses %s and says why", async (_name, body, detail) => {
    const response = await service.send(body);

    expect(response.status).toBe(400);
    const { code, detail: said } = (await response.json()) as Record<string, string>;
    expect(code).toBe("malformed_order");
    expect(said).toContain(detail);
  });
});

describe("a cage", () => {
  it("never serves two tenants", async () => {
    const before = await until(async () => {
      const { cages } = await service.readiness();
      return cages.spares === 2 ? cages.live : undefined;
    });

    await service.run({ tenant: "first" });
    await service.run({ tenant: "second" });
    await service.run({ tenant: "first" });

    const { cages } = await until(async () => {
      const readiness = await service.readiness();
      return readiness.cages.spares === 2 ? readiness : undefined;
    });
    expect(cages.live).toBe(before + 2);
  });

  it("that is killed under a run ends that run as lost, and is replaced", async () => {
    const running = service.run({ tenant: "victim", stream: true }, { code: FOREVER });
    await until(async () => (await service.readiness()).cages.busy === 1);
    for (const pid of await service.cagePids()) process.kill(pid, "SIGKILL");

    const { result } = await running;

    expect(result).toMatchObject({ outcome: "infra_lost", certainty: "certain", started: true });
    await until(async () => (await service.readiness()).cages.spares === 2);
    expect((await service.run()).result).toMatchObject({ outcome: "ok" });
  });

  it("stuck in V8 is killed when its run's time is up, and what was said is kept", async () => {
    const caps = { wallMs: 300, cpuMs: 60_000 };

    const { result } = await service.run({ caps }, { code: UNINTERRUPTIBLE });

    expect(result).toMatchObject({ outcome: "wall_timeout", stdout: "before\n" });
  });

  it("stuck in V8 is killed when its run's CPU time is used up", async () => {
    const caps = { wallMs: 10_000, cpuMs: 100 };

    const { result } = await service.run({ caps }, { code: UNINTERRUPTIBLE });

    expect(result).toMatchObject({ outcome: "cpu_timeout", stdout: "before\n" });
  });

  it.each([
    [
      "a resizable buffer",
      "new Uint8Array(new ArrayBuffer(2 ** 30, { maxByteLength: 2 ** 30 })).fill(1)",
    ],
    ["an array that aborts V8", "const a = Array(4e7); for (let i = 0; i < 4e7; i++) a[i] = [i]"],
    ["strings", 'let s = "x"; const all = []; for (;;) { s += s; all.push(s.slice(1) + "y") }'],
    ["objects", "const all = []; for (;;) all.push({ all: all.length })"],
  ])("that is filled with %s ends its run only", async (_name, code) => {
    const caps = { wallMs: 20_000, cpuMs: 20_000, memoryMb: 32 };

    const { result } = await service.run({ caps, tenant: "hog" }, { code });

    expect(["memory_limit", "failed"]).toContain(result?.outcome);
    expect((await service.run()).result).toMatchObject({ outcome: "ok" });
  });

  it("keeps nothing of a run that its caller gave up", async () => {
    const leaving = new AbortController();
    const running = service.run({ tenant: "leaver" }, { code: FOREVER }, leaving);
    await until(async () => (await service.readiness()).inFlight === 1);

    leaving.abort();

    await expect(running).rejects.toThrow(/abort|fetch failed|terminated/);
    await until(async () => (await service.readiness()).inFlight === 0);
    const metrics = await (await fetch(`${service.url}/metrics`)).text();
    expect(metrics).toContain('bulkhead_sandbox_runs_total{outcome="cancelled"} 1');
  });

  it("stuck in V8 when its caller gives up is killed", async () => {
    const leaving = new AbortController();
    const caps = { wallMs: 60_000, cpuMs: 60_000 };
    const running = service.run({ caps }, { code: UNINTERRUPTIBLE }, leaving);
    await until(async () => (await service.readiness()).inFlight === 1);

    leaving.abort();

    await expect(running).rejects.toThrow(/abort|fetch failed|terminated/);
    await until(async () => (await service.readiness()).inFlight === 0);
  });
});

describe("GET", () => {
  it("/healthz says that it serves", async () => {
    expect(await (await fetch(`${service.url}/healthz`)).json()).toEqual({ status: "ok" });
  });

  it("/readyz lists the walls that hold", async () => {
    expect(await service.readiness()).toMatchObject({
      ready: true,
      reason: null,
      draining: false,
      protections: {
        processes: true,
        pidNamespace: true,
        mountNamespace: true,
        networkNamespace: true,
        ownUid: true,
        noNewPrivileges: true,
        nodePermissions: true,
      },
    });
  });

  it("/v1/runtimes names languages and engine", async () => {
    const body = await (await fetch(`${service.url}/v1/runtimes`)).json();

    expect(body).toMatchObject({
      runtimes: [{ language: "javascript" }, { language: "typescript" }],
    });
  });

  it("/metrics counts in OpenMetrics", async () => {
    const response = await fetch(`${service.url}/metrics`);

    const text = await response.text();
    expect(response.headers.get("Content-Type")).toMatch(/^application\/openmetrics-text/);
    expect(text).toMatch(/bulkhead_sandbox_runs_total\{outcome="ok"\} [0-9]+/);
    expect(text.endsWith("# EOF\n")).toBe(true);
  });

  it("an unknown path is 404, another method 405", async () => {
    expect((await fetch(`${service.url}/v2`)).status).toBe(404);
    expect((await fetch(`${service.url}/v1/runs`)).status).toBe(405);
  });
});

describe("PUT /v1/runs/{runId}", () => {
  const RUN_ID = `job_${"a".repeat(26)}.1`;

  it("starts an id once, however often it comes", async () => {
    const body = runBody({ runId: RUN_ID }, { code: "export default () => 1" });
    const first = await service.send(body, { putAs: RUN_ID });
    const second = await service.send(body, { putAs: RUN_ID });

    expect(await first.text()).toContain('"outcome":"ok"');
    expect(second.status).toBe(409);
    expect(await second.json()).toEqual({ code: "run_taken" });
  });

  it("is ended by DELETE, which answers once nothing of it lives", async () => {
    const runId = `job_${"b".repeat(26)}.1`;
    const response = await service.send(runBody({ runId, stream: true }, { code: FOREVER }), {
      putAs: runId,
    });
    const stopped = await service.send("", { stop: runId });

    expect(stopped.status).toBe(204);
    expect((await service.readiness()).inFlight).toBe(0);
    expect(await response.text()).toContain('"outcome":"cancelled"');
    expect((await service.send("", { stop: runId })).status).toBe(204);
  });

  it("is not known where it never came", async () => {
    const response = await service.send("", { stop: `job_${"c".repeat(26)}.1` });

    expect(response.status).toBe(404);
  });

  it("refuses an order of another run than its path", async () => {
    const response = await service.send(runBody({ runId: RUN_ID }), { putAs: `${RUN_ID}2` });

    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ code: "malformed_order" });
  });
});
