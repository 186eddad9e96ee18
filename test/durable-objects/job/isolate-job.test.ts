import { abortAllDurableObjects, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import type { ExecutorResult, RunLine } from "../../../protocol/sandbox-api.ts";
import {
  doneOf,
  eventsOf,
  isolateSpec,
  newJob,
  playHost,
  playHosts,
  playPeers,
  type PlayedPeers,
  typesOf,
} from "./support.ts";

const URL_OF = "http://sandbox-of-jobs.test";
const BOOT = { "Bulkhead-Boot": "boot-1" };

let peers: PlayedPeers;
let seen: { readonly method: string; readonly path: string; readonly body: string }[];

beforeEach(() => {
  playHosts();
  peers = playPeers();
  seen = [];
});
afterEach(() => {
  vi.restoreAllMocks();
});

/** Plays a sandbox-worker that knows every boot id. */
function playSandbox(answer: (times: number, signal: AbortSignal) => Response): void {
  let times = 0;
  playHost(URL_OF, async (request) => {
    if (request.headers.get("Bulkhead-Signature")?.includes(" unknown ") === true) {
      return new Response(null, { status: 401, headers: BOOT });
    }
    const { pathname } = new URL(request.url);
    seen.push({
      method: request.method,
      path: pathname,
      body: new TextDecoder().decode(await request.arrayBuffer()),
    });
    return answer(++times, request.signal);
  });
}

const lines = (...all: readonly RunLine[]): Response =>
  new Response(all.map((line) => `${JSON.stringify(line)}\n`).join(""));

/** Says some lines, and then nothing until it is left. */
function endless(signal: AbortSignal, ...all: readonly RunLine[]): Response {
  const encoder = new TextEncoder();
  let isOpen = true;
  return new Response(
    new ReadableStream<Uint8Array>({
      start(controller) {
        for (const line of all) controller.enqueue(encoder.encode(`${JSON.stringify(line)}\n`));
      },
      async pull(controller) {
        while (isOpen && !signal.aborted) await scheduler.wait(5);
        if (isOpen) controller.error(new Error("aborted"));
      },
      cancel() {
        isOpen = false;
      },
    }),
  );
}

const started: RunLine = { event: { type: "started", queueMs: 1 } };
const said = (text: string): RunLine => ({
  event: { type: "console", line: { level: "log", stream: "stdout", atMs: 1, text } },
});
const end = (changes: Partial<ExecutorResult> = {}): RunLine => ({
  end: {
    runId: "x",
    outcome: "ok",
    certainty: "certain",
    started: true,
    valueJson: "9007199254740993",
    encoding: "json",
    error: null,
    stdout: "hi\n",
    stderr: "",
    console: [],
    truncated: null,
    usage: { queueMs: 1, wallMs: 2, cpuMs: 1, memoryPeakBytes: 0, fetches: 0 },
    ...changes,
  },
});

const sandbox = { url: URL_OF };

describe("a job in an isolate", () => {
  it("is put under its run id, and tells what its run says", async () => {
    playSandbox(() => lines(started, said("hi"), end()));
    const test = newJob(sandbox, isolateSpec());
    const start = test.nextStart();
    await test.job().start(start);
    const done = await doneOf(test);
    const runId = `${test.identity.jobId}.${start.grant.epoch}`;
    expect(await typesOf(test)).toEqual(["queued", "started", "console", "done"]);
    expect(done.result).toMatchObject({ id: runId, lane: "isolate", outcome: "ok" });
    expect(seen).toHaveLength(1);
    expect(seen[0]).toMatchObject({ method: "PUT", path: `/v1/runs/${runId}` });
    const [order = "", work = ""] = seen[0]!.body.split("\n");
    expect(JSON.parse(order)).toMatchObject({ runId, stream: true, tenant: "acme" });
    expect(JSON.parse(work)).toMatchObject({ entry: "main.js" });
    const page = await test.job().events(3);
    expect(JSON.stringify(page)).toContain("9007199254740993");
    await vi.waitFor(() => expect(peers.freed).toHaveLength(1));
  });

  it("is cancelled by letting go of its connection", async () => {
    playSandbox((_, signal) => endless(signal, started));
    peers.answer = () => ({ kind: "final", state: "cancelled", reason: "asked for" });
    const test = newJob(sandbox, isolateSpec());
    await test.job().start(test.nextStart());
    await vi.waitFor(async () => expect(await typesOf(test)).toContain("started"));
    await test.job().cancel("asked for");
    expect(await doneOf(test)).toMatchObject({
      state: "cancelled",
      result: { outcome: "cancelled", error: { message: "asked for" } },
    });
  });

  it("whose answer was lost after it had begun is lost for certain", async () => {
    playSandbox((times) => {
      if (times === 1) throw new Error("Network connection lost.");
      return new Response(null, { status: 204 });
    });
    const test = newJob(sandbox, isolateSpec());
    await test.job().start(test.nextStart());
    expect(await doneOf(test)).toMatchObject({
      result: { outcome: "infra_lost", certainty: "certain" },
    });
    expect(peers.settled[0]?.end).toMatchObject({ kind: "ended", lost: true });
  });

  it("that nobody reaches goes back to its queue", async () => {
    playSandbox(() => {
      throw new Error("Network connection lost.");
    });
    peers.answer = () => ({ kind: "retry", notBefore: Date.now() });
    const test = newJob(sandbox, isolateSpec());
    await test.job().start(test.nextStart());
    await vi.waitFor(() => expect(peers.freed).toHaveLength(1));
    expect(peers.settled[0]?.end.kind).toBe("not_taken");
    expect(await typesOf(test)).toEqual(["queued"]);
  });

  it.each([204, 404])("whose Job crashed is ended, and lost for certain (%i)", async (status) => {
    playSandbox((times, signal) =>
      times === 1 ? endless(signal, started) : new Response(null, { status }),
    );
    const test = newJob(sandbox, isolateSpec());
    await test.job().start(test.nextStart());
    await vi.waitFor(async () => expect(await typesOf(test)).toContain("started"));
    await abortAllDurableObjects();
    await runDurableObjectAlarm(test.job());
    expect(await doneOf(test)).toMatchObject({
      result: { outcome: "infra_lost", certainty: "certain" },
    });
    expect(seen.map(({ method }) => method)).toEqual(["PUT", "DELETE"]);
  });

  it("whose executor is out of reach is lost once its time is over for sure, and not before", async () => {
    playSandbox((times, signal) => {
      if (times === 1) return endless(signal, started);
      throw new Error("Network connection lost.");
    });
    const test = newJob(sandbox, isolateSpec());
    await test.job().start(test.nextStart());
    await vi.waitFor(async () => expect(await typesOf(test)).toContain("started"));
    await abortAllDurableObjects();
    await runDurableObjectAlarm(test.job());
    expect(peers.settled).toEqual([]);

    await abortAllDurableObjects();
    await runInDurableObject(test.job(), (_, { storage }) => {
      const { record } = storage.sql.exec<{ record: string }>("SELECT record FROM job").one();
      const { attempt } = JSON.parse(record).phase;
      const earlier = record.replace(`"at":${attempt.at}`, `"at":${attempt.at - 60_000}`);
      storage.sql.exec("UPDATE job SET record = ?", earlier);
    });
    await abortAllDurableObjects();
    await runDurableObjectAlarm(test.job());
    expect(await doneOf(test)).toMatchObject({
      result: { outcome: "infra_lost", certainty: "unknown", retrySafe: true },
    });
    expect(peers.settled[0]?.end).toMatchObject({ lost: true });
    expect(seen.filter(({ method }) => method === "PUT")).toHaveLength(1);
  });

  it("that isolates cannot link fails plainly", async () => {
    playSandbox(() => lines({ unlinkable: { specifier: "node:fs", importer: "main.js" } }));
    const test = newJob(sandbox, isolateSpec());
    await test.job().start(test.nextStart());
    const done = await doneOf(test);
    expect(done.result).toMatchObject({ outcome: "failed", retrySafe: true });
    expect(done.result.error?.message).toContain('"node:fs"');
    expect(await eventsOf(test)).toHaveLength(2);
  });
});
