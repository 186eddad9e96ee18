import { createHash } from "node:crypto";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { JobEvent } from "../../protocol/job.ts";
import { JobClient } from "../support/job-client.ts";
import { type LaneStack, startLaneStack } from "../support/lane-stack.ts";
import { until } from "../support/sandbox-service.ts";

/** Forks until it cannot, and fails by it. */
const FORKS =
  "import os, time\nfor i in range(100):\n  if os.fork() == 0: time.sleep(5); os._exit(0)";

let lanes: LaneStack;
let client: JobClient;

beforeAll(async () => {
  lanes = await startLaneStack({ vars: { RATE_LIMIT_BURST: "1000" } });
  client = new JobClient(lanes.stack.gateway, lanes.stack.key);
});

afterAll(() => lanes[Symbol.asyncDispose]());

describe("a run on the container lane", () => {
  it("is ready beside the isolate lane", () => {
    expect(lanes.stack.describe().lanes).toMatchObject({
      isolate: { ready: true },
      container: { ready: true },
    });
  });

  it("is told of to operators, executor by executor, and to nobody else", async () => {
    const ask = (path: string, token: string) =>
      client.fetch(path, { headers: { authorization: `Bearer ${token}` } });
    const { adminToken } = lanes.stack.describe();

    const all = await ask("/health/executors", adminToken);
    const one = await ask("/health/executors/container-1", adminToken);

    expect(await all.json()).toMatchObject({
      executors: [
        { name: "sandbox-1", lane: "isolate", ready: true },
        { name: "container-1", lane: "container", ready: true },
      ],
    });
    expect(await one.json()).toMatchObject({
      ready: true,
      readiness: { images: { bash: true, python: true, node: true } },
      containers: { healthyContainers: 0, totalContainers: 0, containers: [] },
    });
    expect((await ask("/health/executors/container-2", adminToken)).status).toBe(404);
    expect((await ask("/health/executors", lanes.stack.key)).status).toBe(401);
  });

  it.each([
    ["bash", 'echo "$((1 + 2)) $1"', "3 arg\n"],
    ["python", "import sys; print(1 + 2, sys.argv[1])", "3 arg\n"],
    ["node", "console.log(1 + 2, process.argv[2])", "3 arg\n"],
  ])("runs %s and answers with what it wrote", async (language, code, stdout) => {
    const result = await client.run({ language, code, args: ["arg"] });

    expect(result).toMatchObject({
      lane: "container",
      outcome: "ok",
      certainty: "certain",
      exitCode: 0,
      stdout,
      stderr: "",
    });
  });

  it("takes a script that isolates cannot link, and says why", async () => {
    const result = await client.run({
      language: "typescript",
      code: 'import { readdirSync } from "node:fs"; export default ({ a }: { a: number }) => [a, readdirSync(".").length]',
      input: { a: 1 },
    });

    expect(result).toMatchObject({ lane: "container", outcome: "ok", value: [1, 1] });
    expect(result.route.reason).toContain("node:fs");
  });

  it("gives stdin, env and files in, and artifacts out", async () => {
    const result = await client.run({
      language: "bash",
      code: 'cat; echo "$WHO"; mkdir out; tr a-z A-Z < "in put.txt" > "out/ö x.txt"; ln -s /etc/passwd out/link',
      stdin: "from stdin\n",
      env: { WHO: "world" },
      files: [{ path: "in put.txt", content: "abc" }],
      artifacts: ["out/**"],
    });

    expect(result.stdout).toBe("from stdin\nworld\n");
    expect(result.artifacts).toEqual([
      expect.objectContaining({
        path: "out/ö x.txt",
        bytes: 3,
        sha256: createHash("sha256").update("ABC").digest("hex"),
      }),
    ]);
    const path = `/v1/jobs/${result.jobId}/artifacts/${encodeURIComponent("out/ö x.txt")}`;
    const file = await client.fetch(path);
    expect(await file.text()).toBe("ABC");
    expect(file.headers.get("Content-Disposition")).toContain("attachment");
    expect(file.headers.get("Content-Security-Policy")).toContain("sandbox");
  });

  it("takes a file that an earlier job left", async () => {
    const first = await client.run({
      language: "bash",
      code: "printf kept > kept.txt",
      artifacts: ["*.txt"],
    });
    const second = await client.run({
      language: "bash",
      code: "cat again.txt",
      files: [{ path: "again.txt", artifact: { job: first.jobId, path: "kept.txt" } }],
    });

    expect(second.stdout).toBe("kept");
  });

  it.each([
    ["memory_limit", "python", 'x = bytearray(512 * 1024 * 1024); print("no")', { memoryMb: 64 }],
    ["wall_timeout", "bash", 'trap "" TERM; while :; do sleep 1; done', { wallMs: 500 }],
    ["cpu_timeout", "bash", "while :; do :; done", { cpuMs: 300, wallMs: 20_000 }],
    ["disk_limit", "bash", "head -c 64M /dev/zero > big", { diskMb: 16 }],
    ["process_limit", "python", FORKS, { pids: 16, wallMs: 20_000 }],
  ])("ends with %s, and names it", async (outcome, language, code, limits) => {
    const result = await client.run({ language, code, limits });

    expect(result).toMatchObject({ outcome, certainty: "certain" });
  });

  it("has no network that was not granted", async () => {
    const result = await client.run({
      language: "python",
      code: "import socket\ntry:\n  socket.create_connection(('1.1.1.1', 53), 2)\n  print('out')\nexcept OSError: print('no way')",
    });

    expect(result.stdout).toBe("no way\n");
  });
});

describe("a job on the container lane", () => {
  it("is followed live, from any event on, and told exactly once that it is done", async () => {
    const { id } = await client.submit({
      language: "bash",
      code: 'echo one; read -r line < <(sleep 0.3; echo two); echo "$line" >&2',
    });
    const events = await client.events(id);
    const types = events.map(({ type }) => type).filter((type) => type !== "stats");

    expect(types).toEqual(["queued", "started", "stdout", "stderr", "done"]);
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, at) => at + 1));
    expect(await client.events(id, 2)).toEqual(events.slice(2));
  });

  it("is cancelled by a kill that is verified", async () => {
    const { id } = await client.submit({ language: "bash", code: 'trap "" TERM; sleep 600' });
    await until(async () => (await client.view(id)).state === "running");
    await until(async () => (await startedOf(id)) !== undefined);

    const answer = await client.fetch(`/v1/jobs/${id}`, { method: "DELETE" });

    expect(await answer.json()).toMatchObject({
      state: "cancelled",
      result: { outcome: "cancelled", usage: { killMs: expect.any(Number) } },
    });
  });

  it("is the same job for the same Idempotency-Key, and 422 with another body", async () => {
    const headers = { "Idempotency-Key": '"once"' };
    const first = await client.submit({ language: "bash", code: "echo 1" }, headers);
    await client.end(first.id);
    const again = await client.fetch("/v1/jobs", {
      method: "POST",
      headers,
      body: JSON.stringify({ language: "bash", code: "echo 1" }),
    });
    const other = await client.fetch("/v1/jobs", {
      method: "POST",
      headers,
      body: JSON.stringify({ language: "bash", code: "echo 2" }),
    });

    expect(again.headers.get("Idempotent-Replayed")).toBe("true");
    expect(await again.json()).toMatchObject({ id: first.id });
    expect(other.status).toBe(422);
  });

  const startedOf = async (id: string): Promise<JobEvent | undefined> => {
    const headers = { accept: "application/json" };
    const answer = await client.fetch(`/v1/jobs/${id}/events`, { headers });
    const { events } = (await answer.json()) as { events: JobEvent[] };
    return events.find(({ type }) => type === "started");
  };
});
