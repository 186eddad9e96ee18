import { abortAllDurableObjects, evictDurableObject, runDurableObjectAlarm } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

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

/** A place where the Job waits for an answer that never comes, the first time. */
function standstill() {
  let isReached = false;
  const hang = async (): Promise<void> => {
    if (isReached) return;
    isReached = true;
    await new Promise<never>(() => {});
  };
  const reached = () => vi.waitFor(() => expect(isReached).toBe(true));
  return { hang, reached };
}

/** Takes all objects out of memory as a crash does, and lets the job's alarm come. */
async function crash(test: TestJob): Promise<void> {
  await abortAllDurableObjects();
  await runDurableObjectAlarm(test.job());
}

/** Wherever it crashed: one run, one of each event, one end, all settled under its epoch. */
const WHOLE = {
  events: ["queued", "started", "stdout", "done"],
  starts: 1,
  settlements: 1,
  foreign: 0,
  isHeld: false,
};

/** What came of a job, once its executor and its lane are told of its end. */
async function cameOf(test: TestJob, epoch: number): Promise<typeof WHOLE> {
  await doneOf(test);
  await vi.waitFor(() => expect(peers.freed.length).toBeGreaterThan(0));
  await vi.waitFor(() => expect(executor.run.acked).toBe(true));
  return {
    events: [...(await typesOf(test))],
    starts: executor.starts,
    settlements: new Set(peers.settled.map((one) => JSON.stringify(one))).size,
    foreign: [...peers.settled, ...peers.freed].filter((one) => one.epoch !== epoch).length,
    isHeld: await test.job().wake(epoch),
  };
}

const METHODS = [
  ["the order", "PUT", ""],
  ["the stream of events", "GET", "/events?after=0"],
  ["the acknowledgement", "POST", "/ack"],
] as const;

describe("a Job that crashes while it waits for the answer to", () => {
  it.each(METHODS)("%s, unheeded, goes on to one end", async (_, method, ending) => {
    const { hang, reached } = standstill();
    executor.instead = async (call) => {
      if (call.method === method && call.path.endsWith(ending)) await hang();
      return undefined;
    };
    executor.script = [STARTED, stdout("a"), ENDED()];
    const test = newJob(executor);
    const start = test.nextStart();
    await test.job().start(start);
    await reached();
    await crash(test);
    expect(await cameOf(test, start.grant.epoch)).toEqual(WHOLE);
  });

  it("the order, heeded, goes on to one end", async () => {
    const { hang, reached } = standstill();
    executor.instead = async ({ method, path }) => {
      if (method !== "PUT") return undefined;
      const answer = executor.take(path.slice("/v1/runs/".length));
      await hang();
      return answer;
    };
    executor.script = [STARTED, stdout("a"), ENDED()];
    const test = newJob(executor);
    const start = test.nextStart();
    await test.job().start(start);
    await reached();
    await crash(test);
    expect(await cameOf(test, start.grant.epoch)).toEqual(WHOLE);
  });

  it.each([
    ["the settlement with its tenant, unheeded", "settleRun", true],
    ["the settlement with its tenant, heeded", "settleRun", false],
    ["the settlement with its lane, unheeded", "freeSlot", true],
    ["the settlement with its lane, heeded", "freeSlot", false],
  ] as const)("%s, goes on to one end", async (_, call, isBefore) => {
    const { hang, reached } = standstill();
    peers.around = async (made, before) => {
      if (made === call && before === isBefore) await hang();
    };
    executor.script = [STARTED, stdout("a"), ENDED()];
    const test = newJob(executor);
    const start = test.nextStart();
    await test.job().start(start);
    await reached();
    await crash(test);
    expect(await cameOf(test, start.grant.epoch)).toEqual(WHOLE);
  });
});

it("a Job that crashes while its run goes on attaches again after the last event it has", async () => {
  const test = newJob(executor);
  const start = test.nextStart();
  await test.job().start(start);
  await vi.waitFor(() => executor.run);
  executor.tell(STARTED, stdout("a"));
  await vi.waitFor(async () => expect(await typesOf(test)).toContain("stdout"));
  await crash(test);
  await vi.waitFor(() => expect(executor.calls("GET").at(-1)?.path).toContain("/events?after=2"));
  executor.tell(ENDED());
  expect(await cameOf(test, start.grant.epoch)).toEqual(WHOLE);
});

it("a Job that is evicted and woken by its tenant goes on", async () => {
  const { hang, reached } = standstill();
  peers.around = async (call, isBefore) => {
    if (call === "settleRun" && isBefore) await hang();
  };
  executor.script = [STARTED, stdout("a"), ENDED()];
  const test = newJob(executor);
  const start = test.nextStart();
  await test.job().start(start);
  await reached();
  await abortAllDurableObjects();
  expect(await test.job().wake(start.grant.epoch)).toBe(true);
  expect(await cameOf(test, start.grant.epoch)).toEqual(WHOLE);
});

it("the alarm renews the run at its executor and at its lane", async () => {
  const test = newJob(executor);
  const start = test.nextStart();
  await test.job().start(start);
  await vi.waitFor(() => executor.run);
  await runDurableObjectAlarm(test.job());
  expect(executor.calls("POST", "/renew")).toHaveLength(1);
  expect(peers.renewed).toEqual([start.grant.epoch]);
  expect(await runDurableObjectAlarm(test.job())).toBe(true);
  executor.tell(STARTED, ENDED());
  await doneOf(test);
});

it("a job that is over leaves no work behind", async () => {
  executor.script = [STARTED, ENDED()];
  const test = newJob(executor);
  await test.job().start(test.nextStart());
  await doneOf(test);
  await vi.waitFor(() => expect(executor.run.acked).toBe(true));
  await runDurableObjectAlarm(test.job());
  expect(await runDurableObjectAlarm(test.job())).toBe(false);
  await evictDurableObject(test.job());
  expect(await typesOf(test)).toEqual(["queued", "started", "done"]);
});
