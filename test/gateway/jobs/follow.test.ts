import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import {
  ArtifactsAnswer,
  JobEventPage,
  JobExplanation,
  type JobView,
  QueueAnswer,
} from "../../../protocol/job.ts";
import type { TicketAnswer } from "../../../protocol/tenant-answers.ts";
import { ENDED, type PlayedExecutor, STARTED, stdout } from "../../durable-objects/job/support.ts";
import { call, newKey, problemOf, textOf } from "../support.ts";
import { BASH, eventsIn, jobOf, overOf, playLanes, send, submitted } from "./support.ts";

let executor: PlayedExecutor;

beforeEach(() => {
  executor = playLanes();
});
afterEach(() => {
  vi.restoreAllMocks();
});

const get = (key: string, path: string, headers: Record<string, string> = {}) =>
  send("GET", path, key, undefined, { headers });

async function done(key: string): Promise<JobView> {
  return overOf(key, (await submitted(key)).id);
}

describe("GET /v1/jobs/{id}/events", () => {
  it("are server-sent events, unless asked otherwise, and resume after the last one", async () => {
    const { key } = await newKey();
    const { id } = await done(key);
    const all = await get(key, `/v1/jobs/${id}/events`);
    expect(all.headers.get("Content-Type")).toContain("text/event-stream");
    expect(all.headers.get("Content-Security-Policy")).toContain("sandbox");
    expect((await all.text()).match(/^id: \d+$/gm)).toEqual(["id: 1", "id: 2", "id: 3", "id: 4"]);
    for (const [path, headers] of [
      ["?after=2", {}],
      ["", { "Last-Event-ID": "2" }],
      ["?last_event_id=2", {}],
    ] as const) {
      const rest = await get(key, `/v1/jobs/${id}/events${path}`, headers);
      expect((await rest.text()).match(/^id: \d+$/gm)).toEqual(["id: 3", "id: 4"]);
    }
  });

  it("come while the job runs", async () => {
    executor.script = [STARTED];
    const { key } = await newKey();
    const { id } = await submitted(key);
    const response = await get(key, `/v1/jobs/${id}/events`, { Accept: "application/x-ndjson" });
    const text = textOf(response);
    await vi.waitUntil(() => executor.starts === 1);
    executor.tell(stdout("live"), ENDED());
    expect(eventsIn(await text).map(({ type }) => type)).toEqual([
      "queued",
      "started",
      "stdout",
      "done",
    ]);
  });

  it("are told at once to those who poll", async () => {
    executor.script = [STARTED];
    const { key } = await newKey();
    const { id } = await submitted(key);
    const poll = async (after: number) => {
      const headers = { Accept: "application/json" };
      const response = await get(key, `/v1/jobs/${id}/events?after=${after}`, headers);
      return JobEventPage.parse(await response.json());
    };
    await vi.waitFor(async () => expect((await poll(0)).last).toBe(2));
    expect(await poll(2)).toEqual({ events: [], last: 2, ended: false });
    executor.tell(ENDED());
    await overOf(key, id);
    expect(await poll(2)).toMatchObject({ events: [{ type: "done" }], last: 3, ended: true });
  });

  it("say that a job waits, before it starts", async () => {
    const { key } = await newKey();
    const notBefore = new Date(Date.now() + 3_600_000).toISOString();
    const { id } = await submitted(key, { ...BASH, notBefore });
    const response = await get(key, `/v1/jobs/${id}/events`, { Accept: "application/x-ndjson" });
    const text = textOf(response);
    await vi.waitUntil(async () => {
      const headers = { Accept: "application/json" };
      const page = await get(key, `/v1/jobs/${id}/events`, headers);
      return (await page.json<JobEventPage>()).last === 1;
    });
    await send("DELETE", `/v1/jobs/${id}`, key);
    expect(eventsIn(await text)).toMatchObject([
      { seq: 1, type: "queued", position: 1 },
      { seq: 2, type: "done", state: "cancelled" },
    ]);
  });

  it.each(["x", "-1", "1.5"])("refuse the cursor %s", async (after) => {
    const { key } = await newKey();
    const { id } = await submitted(key);
    expect((await get(key, `/v1/jobs/${id}/events?after=${after}`)).status).toBe(400);
  });

  it("come by WebSocket, one in each frame", async () => {
    const { key } = await newKey();
    const { id } = await done(key);
    const response = await get(key, `/v1/jobs/${id}/events?after=2`, { Upgrade: "websocket" });
    expect(response.status).toBe(101);
    const socket = response.webSocket;
    const frames: string[] = [];
    const closed = new Promise((resolve) => socket?.addEventListener("close", resolve));
    socket?.addEventListener("message", ({ data }) => void frames.push(String(data)));
    socket?.accept();
    await closed;
    expect(eventsIn(frames.join("\n")).map(({ seq }) => seq)).toEqual([3, 4]);
  });
});

describe("a ticket", () => {
  const ticketFor = async (key: string, path: string): Promise<TicketAnswer> => {
    const response = await send("POST", "/v1/tickets", key, { path });
    expect(response.status).toBe(201);
    return response.json();
  };

  it("opens its path once, without a header", async () => {
    const { key } = await newKey();
    const { id } = await done(key);
    const path = `/v1/jobs/${id}/events`;
    const { ticket } = await ticketFor(key, path);
    const first = await call(`${path}?after=3&ticket=${ticket}`);
    expect(first.status).toBe(200);
    expect(await first.text()).toContain("event: done");
    expect(await problemOf(await call(`${path}?ticket=${ticket}`))).toMatchObject({
      status: 401,
      detail: expect.stringContaining("used before"),
    });
  });

  it("opens no other path, and no route that takes none", async () => {
    const { key } = await newKey();
    const { id } = await done(key);
    const { ticket } = await ticketFor(key, `/v1/jobs/${id}`);
    expect((await call(`/v1/jobs/${id}/events?ticket=${ticket}`)).status).toBe(401);
    expect((await call(`/v1/jobs/${id}?ticket=${ticket}`)).status).toBe(401);
  });

  it("is never a key", async () => {
    const { key } = await newKey();
    const { id } = await done(key);
    expect((await call(`/v1/jobs/${id}/events?ticket=${key}`)).status).toBe(401);
  });

  it.each(["/admin/tenants", "/v1/jobs?x", "v1", "https://a.example/v1/x"])(
    "is not made for %s",
    async (path) => {
      const { key } = await newKey();
      expect((await send("POST", "/v1/tickets", key, { path })).status).toBe(400);
    },
  );
});

describe("DELETE /v1/jobs/{id}", () => {
  it("kills a run, and answers with the proof; again it changes nothing", async () => {
    executor.script = [STARTED];
    const { key } = await newKey();
    const { id } = await submitted(key);
    await vi.waitUntil(async () => (await jobOf(key, id)).state === "running");
    const response = await send("DELETE", `/v1/jobs/${id}`, key);
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({
      state: "cancelled",
      result: { outcome: "cancelled", certainty: "certain" },
    });
    expect(executor.run.killed).toBe(true);
    expect(await (await send("DELETE", `/v1/jobs/${id}`, key)).json()).toMatchObject({
      state: "cancelled",
    });
  });

  it("ends a job that waits at once", async () => {
    const { key } = await newKey();
    const notBefore = new Date(Date.now() + 3_600_000).toISOString();
    const { id } = await submitted(key, { ...BASH, notBefore });
    expect(await (await send("DELETE", `/v1/jobs/${id}`, key)).json()).toMatchObject({
      state: "cancelled",
      result: { outcome: "cancelled", retrySafe: true },
    });
    expect(executor.starts).toBe(0);
  });

  it("leaves a job that is over as it ended", async () => {
    const { key } = await newKey();
    const { id } = await done(key);
    expect(await (await send("DELETE", `/v1/jobs/${id}`, key)).json()).toMatchObject({
      state: "done",
      result: { outcome: "ok" },
    });
  });
});

describe("POST /v1/jobs/{id}/redrive", () => {
  it.each([["short"], [`long ${"x".repeat(4_000)}`]])(
    "makes a new job of it: %.5s",
    async (text) => {
      const { key } = await newKey();
      const code = `echo ${text}`;
      const first = await overOf(key, (await submitted(key, { ...BASH, code })).id);
      const response = await send("POST", `/v1/jobs/${first.id}/redrive`, key);
      expect(response.status).toBe(202);
      const again: JobView = await response.json();
      expect(again).toMatchObject({ redriveOf: first.id });
      expect(again.id).not.toBe(first.id);
      expect(await overOf(key, again.id)).toMatchObject({ state: "done" });
      expect(executor.calls("PUT").map(({ body }) => JSON.parse(body).code)).toEqual([code, code]);
    },
  );

  it("of a job that is not over is a conflict", async () => {
    executor.script = [STARTED];
    const { key } = await newKey();
    const { id } = await submitted(key);
    const problem = await problemOf(await send("POST", `/v1/jobs/${id}/redrive`, key));
    expect(problem).toMatchObject({ status: 409, code: "conflict" });
    executor.tell(ENDED());
    await overOf(key, id);
  });
});

describe("what a job left", () => {
  const bytes = new TextEncoder().encode("0123456789");
  const artifact = (path: string) =>
    ({
      type: "artifact",
      artifact: { path, bytes: 10, mode: 0o644, sha256: SHA256, kind: "file" },
    }) as const;
  const SHA256 = "84d89877f0d4041efb6bf91a16f0248f2fd573e6af05c19f96bedb9f882f7882";
  const NAME = "out/ä b%2F'\".txt";

  async function withFile(key: string): Promise<string> {
    executor.script = [STARTED];
    const { id } = await submitted(key, { ...BASH, artifacts: ["out/**"] });
    await vi.waitUntil(() => executor.starts === 1);
    executor.run.artifacts.set(NAME, bytes);
    const { artifact: told } = artifact(NAME);
    executor.tell(artifact(NAME), ENDED({ artifacts: [told] }));
    await overOf(key, id);
    return id;
  }

  it("is listed, and comes as bytes that no browser shows", async () => {
    const { key } = await newKey();
    const id = await withFile(key);
    const list = ArtifactsAnswer.parse(await (await get(key, `/v1/jobs/${id}/artifacts`)).json());
    expect(list).toMatchObject({ jobId: id, ended: true, artifacts: [{ path: NAME, bytes: 10 }] });

    const path = `/v1/jobs/${id}/artifacts/${NAME.split("/").map(encodeURIComponent).join("/")}`;
    const whole = await get(key, path);
    expect(whole.status).toBe(200);
    expect(await textOf(whole)).toBe("0123456789");
    expect(Object.fromEntries(whole.headers)).toMatchObject({
      "content-type": "application/octet-stream",
      "content-security-policy": "sandbox; default-src 'none'",
      "x-content-type-options": "nosniff",
      "content-length": "10",
      "content-disposition":
        "attachment; filename=\"__b_2F__.txt\"; filename*=UTF-8''%C3%A4%20b%252F%27%22.txt",
    });
  });

  it.each([
    ["bytes=2-4", 206, "234", "bytes 2-4/10"],
    ["bytes=7-", 206, "789", "bytes 7-9/10"],
    ["bytes=-2", 206, "89", "bytes 8-9/10"],
    ["bytes=2-99", 206, "23456789", "bytes 2-9/10"],
    ["bytes=10-", 200, "0123456789", null],
    ["bytes=4-2", 200, "0123456789", null],
    ["lines=1-2", 200, "0123456789", null],
  ])("comes in parts for %s", async (range, status, text, contentRange) => {
    const { key } = await newKey();
    const id = await withFile(key);
    const path = `/v1/jobs/${id}/artifacts/${NAME.split("/").map(encodeURIComponent).join("/")}`;
    const part = await get(key, path, { Range: range });
    expect([part.status, await textOf(part), part.headers.get("Content-Range")]).toEqual([
      status,
      text,
      contentRange,
    ]);
  });

  it("is not found under another name", async () => {
    const { key } = await newKey();
    const id = await withFile(key);
    for (const path of ["out/other", "..%2F..%2Fspec", "x".repeat(1_000), "x".repeat(2_000)]) {
      expect((await get(key, `/v1/jobs/${id}/artifacts/${path}`)).status).toBe(404);
    }
  });
});

describe("GET /v1/queue", () => {
  it("tells the tenant's own part, and how full the lanes are", async () => {
    executor.script = [STARTED];
    const { key } = await newKey();
    const ids: string[] = [];
    for (let i = 0; i < 3; i++) ids.push((await submitted(key)).id);
    await vi.waitUntil(() => executor.starts === 2);
    const answer = QueueAnswer.parse(await (await get(key, "/v1/queue")).json());
    expect(answer).toMatchObject({
      running: 2,
      queued: 1,
      maxConcurrency: 32,
      utilizationPercent: 6.3,
      lanes: {
        container: {
          running: 2,
          queued: 1,
          slotsTaken: 2,
          maxConcurrency: 2,
          utilizationPercent: 100,
        },
        isolate: { running: 0, slotsTaken: 0 },
      },
    });

    const waiting = ids[2] ?? "";
    const told = JobExplanation.parse(await (await get(key, `/v1/jobs/${waiting}/explain`)).json());
    expect(told).toMatchObject({ waitsFor: "a_slot", lane: { slotsTaken: 2, slots: 2 } });
    for (const id of ids) await send("DELETE", `/v1/jobs/${id}`, key);
  });
});

it("a job that waits is told of with its time and without a result", async () => {
  const { key } = await newKey();
  const notBefore = new Date(Date.now() + 3_600_000).toISOString();
  const { id } = await submitted(key, { ...BASH, notBefore });
  const job = await jobOf(key, id);
  expect(job).toMatchObject({ state: "queued", result: null, stats: null, deliveries: [] });
  expect(job.queue?.notBefore).toBe(notBefore);
});
