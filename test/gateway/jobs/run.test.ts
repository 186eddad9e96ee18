import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import type { JobView } from "../../../protocol/job.ts";
import { DryRunAnswer, RunResult } from "../../../protocol/run-result.ts";
import { ENDED, type PlayedExecutor, STARTED, stdout } from "../../durable-objects/job/support.ts";
import { ended, linesOf, newKey, problemOf, textOf } from "../support.ts";
import { BASH, eventsIn, jobOf, overOf, playLanes, send } from "./support.ts";

let executor: PlayedExecutor;

beforeEach(() => {
  executor = playLanes(ended());
});
afterEach(() => {
  vi.restoreAllMocks();
});

const SCRIPT = { language: "typescript", code: "export default 1" };

const run = (key: string, body: unknown = BASH, headers: Record<string, string> = {}) =>
  send("POST", "/v1/run", key, body, { headers });

const idOf = (response: Response): string =>
  /^\/v1\/jobs\/(job_\w+)$/.exec(response.headers.get("Location") ?? "")?.[1] ?? "";

describe("POST /v1/run on the container lane", () => {
  it("answers with the result once the job is over, and nobody's browser shows it as a page", async () => {
    executor.script = [STARTED, ENDED({ stdout: "hi", valueJson: "1e400" })];
    const { key } = await newKey();
    const response = await run(key);
    expect(response.status).toBe(200);
    expect(response.headers.get("Content-Security-Policy")).toBe("sandbox; default-src 'none'");
    const text = await response.text();
    expect(text).toContain('"value":1e400');
    const result = RunResult.parse(JSON.parse(text));
    expect(result).toMatchObject({ jobId: idOf(response), lane: "container", stdout: "hi" });
    expect(result.route).toEqual({ lane: "container", reason: "bash runs in containers" });
  });

  it("tells a failure of the user's own as a result", async () => {
    executor.script = [STARTED, ENDED({ outcome: "memory_limit", exitCode: 137 })];
    const { key } = await newKey();
    const response = await run(key);
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ outcome: "memory_limit", exitCode: 137 });
  });

  it("answers 202 when the job outlasts the wait, and the job goes on", async () => {
    executor.script = [STARTED];
    const { key } = await newKey();
    const response = await run(key);
    expect(response.status).toBe(202);
    const job: JobView = await response.json();
    expect(job).toMatchObject({ id: idOf(response), state: "running" });
    executor.tell(ENDED());
    expect(await overOf(key, job.id)).toMatchObject({ state: "done", result: { outcome: "ok" } });
    expect(executor.run.killed).toBe(false);
  });

  it.each([
    ["text/event-stream", /^retry: \d+\n\nid: 1\nevent: queued\n[^]*event: done\ndata: .*\n\n$/],
    ["application/x-ndjson", /^\{"seq":1,.*\n[^]*"type":"done".*\n$/],
  ])("streams the job's events as %s", async (accept, form) => {
    const { key } = await newKey();
    const response = await run(key, BASH, { Accept: accept });
    expect(response.status).toBe(200);
    expect(response.headers.get("Content-Type")).toContain(accept);
    expect(response.headers.get("Cache-Control")).toContain("no-transform");
    expect(await textOf(response)).toMatch(form);
  });

  it("streams for longer than answers may wait", async () => {
    executor.script = [STARTED];
    const { key } = await newKey();
    const response = await run(key, BASH, { Accept: "application/x-ndjson" });
    const text = textOf(response);
    await scheduler.wait(1_800);
    executor.tell(stdout("late"), ENDED());
    const events = eventsIn(await text);
    expect(events.map(({ type }) => type)).toEqual(["queued", "started", "stdout", "done"]);
    expect(events.map(({ seq }) => seq)).toEqual([1, 2, 3, 4]);
  });

  it("says what would happen, without it happening", async () => {
    const { key } = await newKey();
    const body = { ...BASH, limits: { cpus: 2 }, permissions: { net: ["a.example"] } };
    const response = await send("POST", "/v1/run?dry_run=true", key, body);
    expect(DryRunAnswer.parse(await response.json())).toMatchObject({
      lane: "container",
      isolation: null,
      limits: { cpus: { value: 2, setBy: "request" } },
      permissions: { net: ["a.example"] },
      admission: { admitted: true },
    });
    expect(executor.starts).toBe(0);
  });

  it("refuses by name what is above a container's maximum", async () => {
    const { key } = await newKey();
    expect(await problemOf(await run(key, { ...BASH, limits: { pids: 4_001 } }))).toMatchObject({
      code: "limit_out_of_range",
      limit: "limits.pids",
      maximum: 4_000,
      setBy: "DOCKER_PIDS_LIMIT_MAX",
    });
  });
});

describe("a client that leaves", () => {
  it.each(["application/json", "application/x-ndjson"])("ends its job (%s)", async (accept) => {
    executor.script = [STARTED];
    const { key } = await newKey();
    const client = new AbortController();
    const headers = { Accept: accept };
    const answer = send("POST", "/v1/run", key, BASH, { headers, signal: client.signal }).then(
      async (response) => {
        const reader = response.body?.getReader();
        await reader?.read();
        await reader?.cancel();
      },
      () => undefined,
    );
    await vi.waitUntil(() => executor.starts === 1);
    client.abort();
    await answer;
    await vi.waitFor(() => expect(executor.run.killed).toBe(true), { timeout: 5_000 });
  });

  it("without reading that its job goes on ends it", async () => {
    executor.script = [STARTED];
    const { key } = await newKey();
    const response = await run(key);
    expect(response.status).toBe(202);
    const reader = response.body?.getReader();
    await reader?.read();
    await reader?.cancel();
    await vi.waitFor(() => expect(executor.run.killed).toBe(true), { timeout: 5_000 });
  });

  it("leaves its job to run where it sent an Idempotency-Key", async () => {
    executor.script = [STARTED];
    const { key } = await newKey();
    const headers = { Accept: "application/x-ndjson", "Idempotency-Key": "k" };
    const first = await run(key, BASH, headers);
    await first.body?.cancel();
    await vi.waitUntil(() => executor.starts === 1);
    executor.tell(ENDED({ stdout: "found again" }));
    const again = await run(key, BASH, { "Idempotency-Key": "k" });
    expect(again.headers.get("Idempotent-Replayed")).toBe("true");
    expect(await again.json()).toMatchObject({ stdout: "found again", jobId: idOf(first) });
    expect(executor.starts).toBe(1);
    expect(executor.run.killed).toBe(false);
  });
});

describe("a script", () => {
  it("is no job by itself", async () => {
    const { key } = await newKey();
    const response = await run(key, SCRIPT);
    expect(await response.json()).toMatchObject({ lane: "isolate", jobId: null });
  });

  it.each([
    ["with an Idempotency-Key", SCRIPT, { "Idempotency-Key": "s" }],
    ["that says how it queues", { ...SCRIPT, priority: 9 }, {}],
  ])("%s is a job on the isolate lane", async (_, body, headers) => {
    const { key } = await newKey();
    const response = await run(key, body, headers as Record<string, string>);
    expect(await response.json()).toMatchObject({
      lane: "isolate",
      jobId: idOf(response),
      value: 3,
      outcome: "ok",
    });
    expect(await jobOf(key, idOf(response))).toMatchObject({ state: "done", lane: "isolate" });
  });

  it("that no isolate can link goes to a container, before any of it ran", async () => {
    playLanes(linesOf({ unlinkable: { specifier: "node:fs", importer: "main.ts" } }));
    const { key } = await newKey();
    const response = await run(key, { ...SCRIPT, input: { a: 1 }, modules: { "b.ts": "2" } });
    expect(await response.json()).toMatchObject({
      lane: "container",
      route: { lane: "container", reason: expect.stringContaining('Cannot link "node:fs"') },
      jobId: idOf(response),
    });
  });

  it.each([
    ["application/json", /^ *\{.*"lane":"container"/],
    ["application/x-ndjson", /^\n*\{"seq":1,"type":"done".*"lane":"container"/],
  ])("goes to a container when its answer has begun, too (%s)", async (accept, form) => {
    playLanes(() => {
      const line = JSON.stringify({ unlinkable: { specifier: "node:fs", importer: "main.ts" } });
      const body = new ReadableStream<Uint8Array>({
        async pull(controller) {
          await scheduler.wait(1_300);
          controller.enqueue(new TextEncoder().encode(`${line}\n`));
          controller.close();
        },
      });
      return new Response(body);
    });
    const { key } = await newKey();
    const response = await run(key, SCRIPT, { Accept: accept });
    expect(response.headers.get("Location")).toBeNull();
    const text = await textOf(response);
    expect(text).toMatch(form);
    expect(text).toContain('"outcome":"ok"');
  });

  it.each([
    ['import fs from "node:fs"', 'it imports "node:fs", which isolates do not have'],
    [
      "const x = await import('npm:chalk@5')",
      'it imports "npm:chalk@5", which isolates do not have',
    ],
  ])("as a job goes where its imports are: %s", async (code, reason) => {
    const { key } = await newKey();
    const response = await run(key, { ...SCRIPT, code }, { "Idempotency-Key": "i" });
    expect(await response.json()).toMatchObject({ route: { lane: "container", reason } });
  });

  it("that asks for more than isolates may have goes to a container, and says why", async () => {
    const { key } = await newKey();
    const response = await run(key, { ...SCRIPT, input: 1.5, limits: { wallMs: 30_001 } });
    expect(await response.json()).toMatchObject({
      route: {
        lane: "container",
        reason: "limits.wallMs 30001 is above the isolate lane's maximum of 30000",
      },
      limits: { wallMs: { value: 30_001, setBy: "request" } },
    });
    expect(JSON.parse(executor.calls("PUT")[0]?.body ?? "")).toMatchObject({
      runtime: "typescript",
      inputJson: "1.5",
    });
  });

  it.each([
    [{ limits: { wallMs: 30_001 }, lane: "isolate" }, "ISOLATE_WALL_MS_MAX"],
    [{ limits: { wallMs: 14_400_001 } }, "CONTAINER_WALL_MS_MAX"],
  ])("with %j is refused by %s", async (fields, setBy) => {
    const { key } = await newKey();
    expect(await problemOf(await run(key, { ...SCRIPT, ...fields }))).toMatchObject({ setBy });
  });

  it("for isolates alone is not moved to a container", async () => {
    const { key } = await newKey();
    const body = { ...SCRIPT, isolation: "run", limits: { wallMs: 30_001 } };
    expect((await run(key, body)).status).toBe(400);
    expect(executor.starts).toBe(0);
  });
});
