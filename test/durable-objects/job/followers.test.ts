import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import type { JobEvent } from "../../../protocol/job.ts";
import {
  doneOf,
  ENDED,
  newJob,
  playExecutor,
  playHosts,
  playPeers,
  type PlayedExecutor,
  type PlayedPeers,
  STARTED,
  stdout,
  type TestJob,
  textOf,
  typesOf,
} from "./support.ts";

let executor: PlayedExecutor;
let peers: PlayedPeers;

beforeEach(() => {
  playHosts();
  executor = playExecutor();
  peers = playPeers();
});
afterEach(() => {
  vi.restoreAllMocks();
});

const follow = async (
  test: TestJob,
  changes: { after?: number; format?: "sse" | "ndjson"; onLeave?: "cancel"; forMs?: number } = {},
): Promise<ReadableStream<Uint8Array>> => {
  const answer = await test
    .job()
    .follow({ after: 0, format: "ndjson", onLeave: "nothing", ...changes });
  if (answer.kind !== "following") throw new Error(`not followed: ${answer.kind}`);
  return answer.body;
};

const jsonLines = (text: string): readonly JobEvent[] =>
  text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));

async function runningJob(): Promise<TestJob> {
  const test = newJob(executor);
  await test.job().start(test.nextStart());
  await vi.waitFor(() => executor.run);
  return test;
}

describe("follow()", () => {
  it("tells what was and what comes, until done", async () => {
    const test = await runningJob();
    executor.tell(STARTED);
    await vi.waitFor(async () => expect(await typesOf(test)).toContain("started"));
    const text = textOf(await follow(test));
    executor.tell(stdout("a"), ENDED());
    expect(jsonLines(await text).map(({ seq, type }) => [seq, type])).toEqual([
      [1, "queued"],
      [2, "started"],
      [3, "stdout"],
      [4, "done"],
    ]);
  });

  it("writes SSE with ids to resume by, and how soon to come back", async () => {
    executor.script = [STARTED, stdout("a\nb"), ENDED()];
    const test = newJob(executor);
    await test.job().start(test.nextStart());
    await doneOf(test);
    const text = await textOf(await follow(test, { after: 2, format: "sse" }));
    const [retry, first, last, end] = text.split("\n\n");
    expect(retry).toMatch(/^retry: [0-9]+$/);
    expect(first).toMatch(/^id: 3\nevent: stdout\ndata: \{"seq":3,.*"data":"a\\nb".*\}$/);
    expect(last).toMatch(/^id: 4\nevent: done\ndata: \{"seq":4,.*\}$/);
    expect(end).toBe("");
  });

  it("ends at once for one who has it all", async () => {
    executor.script = [STARTED, ENDED()];
    const test = newJob(executor);
    await test.job().start(test.nextStart());
    await doneOf(test);
    expect(await textOf(await follow(test, { after: 3 }))).toBe("");
  });

  it("of a job that waits tells queued once the job is told of itself", async () => {
    const test = newJob(executor);
    const body = await follow(test);
    const reader = body.getReader();
    await test.job().introduce(test.identity);
    const { value } = await reader.read();
    expect(new TextDecoder().decode(value)).toContain('"type":"queued"');
    await reader.cancel();
  });

  it("ends by itself after the time that was asked for, which is no leaving", async () => {
    const test = await runningJob();
    const text = await textOf(await follow(test, { forMs: 50, onLeave: "cancel" }));
    expect(text).toContain("queued");
    expect(peers.cancelled).toEqual([]);
    executor.tell(STARTED, ENDED());
    await doneOf(test);
  });

  it("ends the job of a follower who leaves, where that is what leaving means", async () => {
    const test = await runningJob();
    const stays = (await follow(test)).getReader();
    const leaves = (await follow(test, { onLeave: "cancel" })).getReader();
    await stays.read();
    await leaves.read();
    await stays.cancel();
    await leaves.cancel();
    await vi.waitFor(() => expect(peers.cancelled).toEqual(["its client has left"]));
    executor.tell(STARTED, ENDED());
    await doneOf(test);
  });

  it("holds up neither the job nor others for a follower that does not read", async () => {
    const test = await runningJob();
    const slow = await follow(test);
    executor.tell(STARTED);
    for (let i = 0; i < 200; i++) executor.tell(stdout("x".repeat(30_000), i * 30_000));
    executor.tell(ENDED());
    await doneOf(test);
    const quick = await textOf(await follow(test));
    expect(jsonLines(quick)).toHaveLength(203);
    expect(await textOf(slow)).toBe(quick);
  });
});

describe("events()", () => {
  it("tells at once what comes after a cursor, in pages", async () => {
    const test = await runningJob();
    executor.tell(STARTED, stdout("a"), ENDED());
    await doneOf(test);
    const first = await test.job().events(1, 2);
    expect(first).toMatchObject({ kind: "page", last: 3, ended: false });
    const second = await test.job().events(3, 2);
    expect(second).toMatchObject({ kind: "page", last: 4, ended: true });
    expect(await test.job().events(4)).toEqual({
      kind: "page",
      events: [],
      last: 4,
      ended: true,
    });
  });
});

describe("a log that is over its bound", () => {
  it("drops the oldest, tells one who begins of the gap, and refuses one who resumes in it", async () => {
    const test = await runningJob();
    executor.tell(STARTED);
    for (let i = 0; i < 1_200; i++) executor.tell(stdout("y".repeat(30_000), i * 30_000));
    executor.tell(ENDED());
    const done = await doneOf(test);
    expect(done.seq).toBe(1_203);

    const dropped = await test.job().events(1);
    if (dropped.kind !== "dropped") throw new Error("nothing was dropped");
    expect(await test.job().follow({ after: 1, format: "sse", onLeave: "nothing" })).toEqual(
      dropped,
    );
    const { oldest } = dropped;
    expect(oldest).toBeGreaterThan(50);

    const told = jsonLines(await textOf(await follow(test)));
    expect(told[0]).toMatchObject({
      type: "gap",
      what: "events",
      seq: oldest - 1,
      from: 1,
      to: oldest - 1,
    });
    expect(told.slice(1).map(({ seq }) => seq)).toEqual(
      Array.from({ length: 1_203 - oldest + 1 }, (_, index) => oldest + index),
    );
    const resumed = await test.job().events(oldest - 1, 1);
    expect(resumed).toMatchObject({ kind: "page", last: oldest });

    await evictDurableObject(test.job());
    expect(await test.job().events(1)).toEqual(dropped);
  }, 30_000);
});

describe("a follower by WebSocket", () => {
  const connect = async (test: TestJob, query = ""): Promise<WebSocket> => {
    const response = await test.job().fetch(`https://job.test/${query}`, {
      headers: { Upgrade: "websocket" },
    });
    if (response.webSocket === null) throw new Error(`no socket: ${response.status}`);
    return response.webSocket;
  };

  function listen(socket: WebSocket) {
    const frames: JobEvent[] = [];
    const others: string[] = [];
    let closed: number | undefined;
    socket.addEventListener("message", ({ data }) => {
      if (String(data).startsWith("{")) frames.push(JSON.parse(String(data)));
      else others.push(String(data));
    });
    socket.addEventListener("close", ({ code }) => {
      closed = code;
    });
    socket.accept();
    return { frames, others, closed: () => closed };
  }

  it("gets the same events, resumes by number, and is closed after done", async () => {
    const test = await runningJob();
    executor.tell(STARTED);
    await vi.waitFor(async () => expect(await typesOf(test)).toContain("started"));
    const { frames, others, closed } = listen(await connect(test, "?after=1"));
    await vi.waitFor(() => expect(frames.map(({ seq }) => seq)).toEqual([2]));
    executor.tell(stdout("a"), ENDED());
    await vi.waitFor(() => expect(closed()).toBe(1000));
    expect(frames.map(({ seq, type }) => [seq, type])).toEqual([
      [2, "started"],
      [3, "stdout"],
      [4, "done"],
    ]);
    expect(others).toEqual([]);
  });

  it("hibernates with the job, and goes on where it was", async () => {
    const test = newJob(executor);
    await test.job().introduce(test.identity);
    const socket = await connect(test);
    const { frames, others, closed } = listen(socket);
    await vi.waitFor(() => expect(frames).toHaveLength(1));
    await evictDurableObject(test.job());
    socket.send("ping");
    await vi.waitFor(() => expect(others).toEqual(["pong"]));
    executor.script = [STARTED, ENDED()];
    await test.job().start(test.nextStart());
    await vi.waitFor(() => expect(closed()).toBe(1000));
    expect(frames.map(({ seq }) => seq)).toEqual([1, 2, 3]);
  });

  it("that does not read is sent no more than a bounded part, and the rest when it does", async () => {
    const test = await runningJob();
    const socket = await connect(test);
    executor.tell(STARTED);
    for (let i = 0; i < 200; i++) executor.tell(stdout("z".repeat(30_000), i * 30_000));
    executor.tell(ENDED());
    await doneOf(test);
    const waiting = await runInDurableObject(test.job(), (_, ctx) =>
      ctx.getWebSockets().map(({ bufferedAmount }) => bufferedAmount),
    );
    expect(waiting).toHaveLength(1);
    expect(Math.max(...waiting)).toBeLessThan(2 * 1024 * 1024);
    const { frames, closed } = listen(socket);
    await vi.waitFor(() => expect(closed()).toBe(1000), { timeout: 4_000 });
    expect(frames.map(({ seq }) => seq)).toEqual(Array.from({ length: 203 }, (_, i) => i + 1));
  });

  it("is refused without an upgrade, and with a cursor that is none", async () => {
    const test = newJob(executor);
    expect((await test.job().fetch("https://job.test/")).status).toBe(426);
    const response = await test.job().fetch("https://job.test/?after=-1", {
      headers: { Upgrade: "websocket" },
    });
    expect(response.status).toBe(400);
  });
});
