import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { artifactKey } from "../../../durable-objects/job-contract.ts";
import { REFERENCED_FILES_BYTES } from "../../../durable-objects/job/artifacts.ts";
import {
  containerSpec,
  detailsOf,
  doneOf,
  ENDED,
  eventsOf,
  newJob,
  playExecutor,
  playHosts,
  playPeers,
  type PlayedExecutor,
  type PlayedPeers,
  STARTED,
  stdout,
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

describe("a job in a container", () => {
  it("tells its events in order, numbered without gaps, and its result last", async () => {
    executor.script = [STARTED, stdout("hello"), ENDED({ stdout: "hello", valueJson: "1e400" })];
    const test = newJob(executor);
    const start = test.nextStart();
    await test.job().start(start);

    const done = await doneOf(test);
    const events = await eventsOf(test);
    expect(events.map(({ seq, type }) => [seq, type])).toEqual([
      [1, "queued"],
      [2, "started"],
      [3, "stdout"],
      [4, "done"],
    ]);
    expect(events[1]).toMatchObject({
      epoch: start.grant.epoch,
      runId: `${test.identity.jobId}.${start.grant.epoch}`,
      executor: "executor-1",
    });
    expect(done).toMatchObject({
      state: "done",
      result: {
        id: `${test.identity.jobId}.${start.grant.epoch}`,
        jobId: test.identity.jobId,
        outcome: "ok",
        stdout: "hello",
        route: { lane: "container", reason: "asked for" },
        usage: { queueMs: 3, wallMs: 5, startMs: 1 },
      },
    });
    expect((await detailsOf(test)).resultText).toContain('"value":1e400');
  });

  it("settles with its tenant, then frees its executor's record and its lane's slot, once", async () => {
    executor.script = [STARTED, ENDED()];
    const test = newJob(executor);
    const start = test.nextStart();
    await test.job().start(start);
    await doneOf(test);
    await vi.waitFor(() => expect(peers.freed).toHaveLength(1));

    expect(peers.settled).toEqual([
      {
        jobId: test.identity.jobId,
        epoch: start.grant.epoch,
        end: {
          kind: "ended",
          outcome: "ok",
          certainty: "certain",
          cpuMs: 2,
          wallMs: 5,
          lost: false,
        },
      },
    ]);
    expect(peers.freed).toEqual([{ epoch: start.grant.epoch, costMs: 5, avoidExecutorMs: null }]);
    expect(executor.calls("POST", "/ack")).toHaveLength(1);
  });

  it("is started once, however often it is told", async () => {
    executor.script = [STARTED, ENDED()];
    const test = newJob(executor);
    const start = test.nextStart();
    await Promise.all([test.job().start(start), test.job().start(start)]);
    await doneOf(test);
    await test.job().start(start);
    await test.job().start(test.nextStart());
    expect(executor.starts).toBe(1);
    expect(await typesOf(test)).toEqual(["queued", "started", "done"]);
  });

  it("runs again where its tenant says so, and says that it will", async () => {
    executor.script = [STARTED, ENDED({ outcome: "failed" })];
    peers.answer = () => ({ kind: "retry", notBefore: Date.now() });
    const test = newJob(executor);
    await test.job().start(test.nextStart());
    await vi.waitFor(async () => expect(await typesOf(test)).toContain("retry"));
    peers.answer = () => ({ kind: "final", state: "done", reason: null });
    executor.script = [STARTED, ENDED()];
    await test.job().start(test.nextStart());
    await doneOf(test);
    expect(await typesOf(test)).toEqual(["queued", "started", "retry", "started", "done"]);
    await vi.waitFor(() => expect(peers.freed).toHaveLength(2));
  });

  it("kills a run that another was granted over the head of before that one starts", async () => {
    const test = newJob(executor);
    const first = test.nextStart();
    await test.job().start(first);
    await vi.waitFor(() => executor.run);
    executor.tell(STARTED, stdout("old"));
    await vi.waitFor(async () => expect(await typesOf(test)).toContain("stdout"));
    executor.script = [STARTED, ENDED()];
    const second = test.nextStart();
    await test.job().start(second);
    await doneOf(test);
    const order = executor.seen.map(({ method, path }) => `${method} ${path.split(".").at(-1)}`);
    const killed = order.indexOf(`DELETE ${first.grant.epoch}`);
    expect(killed).toBeGreaterThan(0);
    expect(killed).toBeLessThan(order.indexOf(`PUT ${second.grant.epoch}`));
    expect(await typesOf(test)).toEqual(["queued", "started", "stdout", "started", "done"]);
    await vi.waitFor(() =>
      expect(new Set(peers.freed.map(({ epoch }) => epoch))).toEqual(
        new Set([first.grant.epoch, second.grant.epoch]),
      ),
    );
  });

  it("is silent of a run that another epoch has taken over", async () => {
    executor.script = [STARTED, ENDED()];
    peers.answer = () => ({ kind: "stale" });
    const test = newJob(executor);
    await test.job().start(test.nextStart());
    await vi.waitFor(() => expect(peers.freed).toHaveLength(1));
    expect(await typesOf(test)).toEqual(["queued", "started"]);
  });

  it("keeps its files before it tells of them", async () => {
    const bytes = new TextEncoder().encode("a,b\n");
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    const sha256 = [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    const kept = { path: "out/ü 1.csv", bytes: 4, mode: 0o640, sha256, kind: "file" } as const;
    const broken = { ...kept, path: "broken", sha256: "0".repeat(64) };
    const gone = { ...kept, path: "gone" };
    const test = newJob(executor);
    await test.job().start(test.nextStart());
    await vi.waitFor(() => executor.run);
    executor.run.artifacts.set(kept.path, bytes).set(broken.path, bytes);
    executor.tell(
      STARTED,
      { type: "artifact", artifact: broken },
      { type: "artifact", artifact: gone },
      { type: "artifact", artifact: kept },
      ENDED({ artifacts: [broken, gone, kept] }),
    );
    const done = await doneOf(test);
    expect(await typesOf(test)).toEqual(["queued", "started", "artifact", "done"]);
    const object = await env.ARTIFACTS.get(artifactKey("acme", test.identity.jobId, kept.path));
    expect(await object?.text()).toBe("a,b\n");
    expect(done.result.artifacts).toEqual([kept]);
    expect(done.result.artifactsLeft?.map(({ path }) => path)).toEqual(["broken", "gone"]);
  });

  it("takes files of an earlier job along, and fails plainly where there is none", async () => {
    const earlier = newJob(executor).identity.jobId;
    await env.ARTIFACTS.put(artifactKey("acme", earlier, "out.bin"), new Uint8Array([0, 255]));
    const spec = containerSpec();
    const withFile = (path: string) =>
      containerSpec({
        work: {
          ...spec.work,
          files: [{ path: "in.bin", mode: null, artifact: { job: earlier, path } }],
        } as typeof spec.work,
      });
    executor.script = [STARTED, ENDED()];
    const test = newJob(executor, withFile("out.bin"));
    await test.job().start(test.nextStart());
    await doneOf(test);
    expect(JSON.parse(executor.calls("PUT")[0]!.body)).toMatchObject({
      files: [{ path: "in.bin", base64: "AP8=", mode: 0o644 }],
    });

    const missing = newJob(executor, withFile("nothing"));
    await missing.job().start(missing.nextStart());
    expect(await doneOf(missing)).toMatchObject({
      result: {
        outcome: "failed",
        certainty: "certain",
        retrySafe: true,
        error: { name: "ArtifactMissing" },
      },
    });
    expect(executor.starts).toBe(1);
  });

  it.each([
    ["up to", 0, "ok", undefined],
    ["over", 1, "failed", "FilesTooLarge"],
  ] as const)("takes files of earlier jobs %s their bound", async (_, more, outcome, name) => {
    const earlier = newJob(executor).identity.jobId;
    const bytes = new Uint8Array(REFERENCED_FILES_BYTES + more);
    await env.ARTIFACTS.put(artifactKey("acme", earlier, "big"), bytes);
    const spec = containerSpec();
    const files = [{ path: "big", mode: null, artifact: { job: earlier, path: "big" } }];
    executor.script = [STARTED, ENDED()];
    const test = newJob(
      executor,
      containerSpec({ work: { ...spec.work, files } as typeof spec.work }),
    );
    await test.job().start(test.nextStart());
    const { result } = await doneOf(test);
    expect([result.outcome, result.error?.name]).toEqual([outcome, name]);
  });

  it("leaves out a file whose name no store takes", async () => {
    const path = `${"ü".repeat(600)}.txt`;
    const artifact = { path, bytes: 1, mode: 0o644, sha256: "0".repeat(64), kind: "file" } as const;
    executor.script = [STARTED, { type: "artifact", artifact }, ENDED({ artifacts: [artifact] })];
    const test = newJob(executor);
    await test.job().start(test.nextStart());
    const { result } = await doneOf(test);
    expect(result.artifacts).toEqual([]);
    expect(result.artifactsLeft).toMatchObject([{ path }]);
    expect(executor.calls("GET", "ü")).toEqual([]);
  });

  it("keeps a result that no row holds", async () => {
    executor.script = [STARTED, ENDED({ stdout: "é".repeat(1_500_000) })];
    const test = newJob(executor);
    await test.job().start(test.nextStart());
    const done = await doneOf(test);
    expect(done.result.stdout).toHaveLength(1_500_000);
    await test.job().purge();
    const left = await env.ARTIFACTS.list({ prefix: `t/acme/j/${test.identity.jobId}/` });
    expect(left.objects).toEqual([]);
    expect(await typesOf(test)).toEqual([]);
  });
});

describe("an order", () => {
  it.each([
    ["image_missing", "ImageMissing"],
    ["network_not_allowed", "NetworkNotAllowed"],
  ])("that can never run (%s) fails the run by name", async (code, name) => {
    executor.instead = () => Response.json({ code, detail: "Cannot run it" }, { status: 422 });
    const test = newJob(executor);
    await test.job().start(test.nextStart());
    expect(await doneOf(test)).toMatchObject({
      result: {
        outcome: "failed",
        certainty: "certain",
        retrySafe: true,
        error: { name, message: "Cannot run it" },
      },
    });
  });

  it("that is not taken now goes back, and nothing of it is told", async () => {
    executor.instead = () =>
      new Response(null, {
        status: 503,
        headers: { "Bulkhead-Refusal": "full", "Retry-After": "7" },
      });
    peers.answer = () => ({ kind: "retry", notBefore: Date.now() });
    const test = newJob(executor);
    const start = test.nextStart();
    await test.job().start(start);
    await vi.waitFor(() => expect(peers.freed).toHaveLength(1));
    expect(peers.settled[0]?.end).toEqual({ kind: "not_taken", retryAfterMs: 7_000 });
    expect(peers.freed).toEqual([{ epoch: start.grant.epoch, costMs: 0, avoidExecutorMs: 7_000 }]);
    expect(await typesOf(test)).toEqual(["queued"]);
  });

  it("to an executor that nobody reaches goes back: nothing of it can have begun", async () => {
    executor.down = true;
    peers.answer = () => ({ kind: "retry", notBefore: Date.now() });
    const test = newJob(executor);
    await test.job().start(test.nextStart());
    await vi.waitFor(() => expect(peers.settled[0]?.end.kind).toBe("not_taken"));
  });

  it("whose answer is lost is sent again, and runs once", async () => {
    let isFirst = true;
    executor.instead = ({ method, path }) => {
      if (method !== "PUT" || !isFirst) return undefined;
      isFirst = false;
      executor.take(path.slice("/v1/runs/".length));
      return new Error("Network connection lost.");
    };
    executor.script = [STARTED, ENDED()];
    const test = newJob(executor);
    await test.job().start(test.nextStart());
    await doneOf(test);
    expect(executor.starts).toBe(1);
    expect(executor.calls("PUT").length).toBe(2);
    expect(await typesOf(test)).toEqual(["queued", "started", "done"]);
  });
});

describe("an executor that is lost", () => {
  it("for a moment costs no event and repeats none", async () => {
    const test = newJob(executor);
    await test.job().start(test.nextStart());
    await vi.waitFor(() => executor.run);
    executor.tell(STARTED, stdout("a"));
    await vi.waitFor(async () => expect(await typesOf(test)).toContain("stdout"));
    executor.cut();
    executor.tell(stdout("b", 1), ENDED());
    await doneOf(test);
    expect(await typesOf(test)).toEqual(["queued", "started", "stdout", "stdout", "done"]);
    expect(executor.calls("GET").at(-1)?.path).toContain("after=2");
  });

  it("and comes back without the run has certainly lost it", async () => {
    const test = newJob(executor);
    await test.job().start(test.nextStart());
    await vi.waitFor(() => executor.run);
    executor.tell(STARTED);
    await vi.waitFor(async () => expect(await typesOf(test)).toContain("started"));
    executor.bootId = "boot-2";
    executor.runs.clear();
    executor.cut();
    expect(await doneOf(test)).toMatchObject({
      result: { outcome: "infra_lost", certainty: "certain", error: { name: "InfraLost" } },
    });
    expect(peers.settled[0]?.end).toMatchObject({ outcome: "infra_lost", lost: true });
  });
});

describe("cancel()", () => {
  it("kills the run, says how long that took, and lets its end be told", async () => {
    const test = newJob(executor);
    await test.job().start(test.nextStart());
    await vi.waitFor(() => executor.run);
    executor.tell(STARTED);
    await vi.waitFor(async () => expect(await typesOf(test)).toContain("started"));
    peers.answer = () => ({ kind: "final", state: "cancelled", reason: "asked for" });
    expect(await test.job().cancel("asked for")).toEqual({ kind: "ended", killMs: 12 });
    expect(await doneOf(test)).toMatchObject({
      state: "cancelled",
      result: { outcome: "cancelled" },
    });
    expect(await test.job().cancel("again")).toEqual({ kind: "not_running" });
    expect(executor.calls("DELETE").length).toBeLessThanOrEqual(2);
  });

  it("of a run whose executor no longer knows it is certain", async () => {
    const test = newJob(executor);
    await test.job().start(test.nextStart());
    await vi.waitFor(() => executor.run);
    executor.runs.clear();
    executor.cut();
    expect(await test.job().cancel("asked for")).toEqual({ kind: "ended", killMs: null });
    expect(await doneOf(test)).toMatchObject({
      result: { outcome: "cancelled", certainty: "certain" },
    });
  });

  it("of a job that runs nothing changes nothing", async () => {
    const test = newJob(executor);
    expect(await test.job().cancel("asked for")).toEqual({ kind: "not_running" });
  });
});

describe("endInQueue()", () => {
  it.each([
    ["cancelled", "cancelled", "certain"],
    ["expired", "expired", "certain"],
    ["dead", "infra_lost", "unknown"],
  ] as const)("ends a job as %s, once", async (state, outcome, certainty) => {
    const test = newJob(executor);
    const { identity } = test;
    const spec = test.nextStart().spec;
    const end = { identity, spec, state, reason: "why", at: Date.now() };
    await test.job().endInQueue(end);
    await test.job().endInQueue({ ...end, state: "expired" });
    await test.job().start(test.nextStart());
    expect(await typesOf(test)).toEqual(["queued", "done"]);
    expect(await doneOf(test)).toMatchObject({
      state,
      result: { outcome, certainty, retrySafe: true, error: { message: "why" }, executor: null },
    });
    expect(executor.starts).toBe(0);
  });
});
