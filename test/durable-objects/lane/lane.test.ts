import { reset, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import type { LaneState } from "../../../durable-objects/job-contract.ts";
import { Lane } from "../../../durable-objects/lane/lane.ts";
import type { JobSummary } from "../../../protocol/job.ts";
import { jobLog } from "../queue/faults.ts";
import {
  clearAll,
  epochsOf,
  evict,
  silenceExecutors,
  submission,
  TestTenant,
} from "../queue/support.ts";

beforeEach(silenceExecutors);
afterEach(async () => {
  clearAll();
  vi.restoreAllMocks();
  await reset();
});

const lane = () => env.LANE.getByName("container");
const state = async (): Promise<LaneState> => (await lane().state()) as LaneState;
const many = (count: number) => Array.from({ length: count }, () => submission());
const startedOf = (jobs: readonly { readonly id: string }[]) =>
  jobs.filter(({ id }) => epochsOf(id).length > 0);

describe("slots", () => {
  it("are given to the least loaded executor, and to no more jobs than there are", async () => {
    const tenant = await TestTenant.make();
    const jobs = await tenant.submit(...many(7));
    await vi.waitFor(() => expect(startedOf(jobs)).toHaveLength(4));
    expect(await state()).toMatchObject({
      slotsTaken: 4,
      slots: 4,
      backlog: 3,
      executors: [
        { name: "container-1", running: 2 },
        { name: "container-2", running: 2 },
      ],
    });
    for (let done = 0; done < 7; done++) {
      const next = startedOf(jobs).find(({ id }) => !ended.has(id));
      ended.add(next!.id);
      await tenant.end(next!.id);
      expect((await state()).slotsTaken).toBeLessThanOrEqual(4);
      await vi.waitFor(() => expect(startedOf(jobs)).toHaveLength(Math.min(7, 5 + done)));
    }
  });
  const ended = new Set<string>();

  it("are the lane's own: another lane's jobs do not wait for them", async () => {
    const tenant = await TestTenant.make();
    const jobs = await tenant.submit(...many(5));
    await vi.waitFor(() => expect(startedOf(jobs)).toHaveLength(4));
    const [isolate] = await tenant.submit(submission({ lane: "isolate" }));
    expect(await tenant.started(isolate!.id)).toMatchObject({
      grant: { lane: "isolate", executor: { name: "sandbox-1", url: "http://sandbox-1.test" } },
    });
  });

  it("of an executor that took no work go to others until it is asked again", async () => {
    const tenant = await TestTenant.make({ maxConcurrent: 1 });
    const [job] = await tenant.submit(submission());
    const first = await tenant.started(job!.id);
    await tenant.stub.settleJob({
      jobId: job!.id,
      epoch: first.grant.epoch,
      end: { kind: "not_taken", retryAfterMs: 0 },
    });
    await lane().settle({ epoch: first.grant.epoch, costMs: 0, avoidExecutorMs: 60_000 });
    const second = await tenant.started(job!.id, 2);
    expect(first.grant.executor.name).toBe("container-1");
    expect(second.grant.executor.name).toBe("container-2");
    expect((await state()).executors).toMatchObject([
      { name: "container-1", avoidedUntil: expect.any(Number) },
      { name: "container-2", avoidedUntil: null },
    ]);
  });

  it("are asked for again where every executor took no work for a while", async () => {
    const tenant = await TestTenant.make({ maxConcurrent: 1 });
    const [job] = await tenant.submit(submission());
    for (let times = 1; times <= 2; times++) {
      const { grant } = await tenant.started(job!.id, times);
      const { epoch } = grant;
      const end = { kind: "not_taken", retryAfterMs: 0 } as const;
      await lane().settle({ epoch, costMs: 0, avoidExecutorMs: 700 });
      await tenant.stub.settleJob({ jobId: job!.id, epoch, end });
    }
    expect(await tenant.started(job!.id, 3)).toMatchObject({ identity: { jobId: job!.id } });
  });

  it("that are settled twice, or never were, are free once", async () => {
    const tenant = await TestTenant.make();
    const [one, two] = await tenant.submit(...many(2));
    await tenant.started(one!.id);
    await tenant.started(two!.id);
    const { settlement } = await tenant.end(one!.id);
    await lane().settle({ epoch: settlement.epoch, costMs: 10, avoidExecutorMs: null });
    await lane().settle({ epoch: 12_345, costMs: 10, avoidExecutorMs: null });
    expect(await state()).toMatchObject({ slotsTaken: 1 });
  });

  it("are any number where 0 is set", async () => {
    await runInDurableObject(lane(), (_, ctx) => {
      const unlimited = new Lane(ctx, { ...env, MAX_CONCURRENT_CONTAINERS: "0" } as Env);
      expect(unlimited.state()).toMatchObject({ slots: null });
    });
  });
});

describe("between tenants", () => {
  it("who has a thousand jobs delays another's single one by no more than one slot turn", async () => {
    const many1000 = await TestTenant.make({ maxConcurrent: 1_000 });
    const single = await TestTenant.make();
    const jobs: JobSummary[] = [];
    for (let i = 0; i < 10; i++) jobs.push(...(await many1000.submit(...many(100))));
    await vi.waitFor(() => expect(startedOf(jobs)).toHaveLength(4));
    for (let round = 0; round < 3; round++) {
      const [one] = await single.submit(submission());
      await vi.waitFor(async () => expect((await state()).backlog).toBeGreaterThan(0));
      const before = startedOf(jobs).length;
      const running = startedOf(jobs).filter(({ id }) => isHeld(many1000, id));
      await many1000.end(running[0]!.id);
      await many1000.end(running[1]!.id);
      await single.started(one!.id);
      expect(startedOf(jobs).length - before).toBeLessThanOrEqual(1);
      await single.end(one!.id);
      await vi.waitFor(async () => expect((await state()).slotsTaken).toBe(4));
    }
  }, 30_000);

  it("a heavier one gets more turns", async () => {
    const light = await TestTenant.make({ maxConcurrent: 1_000 });
    const heavy = await TestTenant.make({ maxConcurrent: 1_000, weight: 3 });
    const jobs = [...(await light.submit(...many(60))), ...(await heavy.submit(...many(60)))];
    const owner = new Map(jobs.map(({ id }, index) => [id, index < 60 ? light : heavy] as const));
    for (let turn = 0; turn < 60; turn++) {
      await vi.waitFor(async () => expect(startedOf(jobs).length).toBeGreaterThan(turn + 3));
      const next = startedOf(jobs).find(({ id }) => isHeld(owner.get(id)!, id));
      await owner.get(next!.id)!.end(next!.id);
    }
    const share = startedOf(jobs).filter(({ id }) => owner.get(id) === heavy).length;
    expect(share / startedOf(jobs).length).toBeGreaterThan(0.65);
    expect(share / startedOf(jobs).length).toBeLessThan(0.85);
  }, 30_000);
});

describe("executors' own view of their load", () => {
  const ready = (recommendedConcurrency: number, canIncreaseConcurrency: boolean) =>
    Response.json({
      ready: true,
      reason: null,
      bootId: "b",
      draining: false,
      inFlight: 0,
      spares: {},
      engine: null,
      images: {},
      host: {
        cores: 2,
        cpuPercent: 10,
        memoryBytes: 1,
        memoryAvailableBytes: 1,
        diskFreeBytes: 1,
      },
      recommendedConcurrency,
      canIncreaseConcurrency,
    });

  it("is told as their sum, and changes no slots unless it is to be followed", async () => {
    vi.spyOn(globalThis, "fetch").mockImplementation(async (url) =>
      url === "http://container-1.test/readyz" ? ready(3, true) : ready(1, false),
    );
    const tenant = await TestTenant.make();
    await tenant.submit(submission());
    await vi.waitFor(async () =>
      expect(await state()).toMatchObject({
        slots: 4,
        recommendedConcurrency: 4,
        canIncreaseConcurrency: true,
      }),
    );
  });

  it("sets the slots where ADAPTIVE_CONCURRENCY says so", async () => {
    const asked = vi.spyOn(globalThis, "fetch").mockImplementation(async () => ready(5, true));
    await runInDurableObject(lane(), async (_, ctx) => {
      const adaptive = new Lane(ctx, { ...env, ADAPTIVE_CONCURRENCY: "true" } as Env);
      adaptive.offer({ tenant: "acme", version: 1, backlog: 0, weight: 1, waits: true });
      await vi.waitFor(() => expect(adaptive.state()).toMatchObject({ slots: 10 }));
      adaptive.offer({ tenant: "acme", version: 2, backlog: 0, weight: 1, waits: true });
    });
    expect(asked.mock.calls.length).toBe(2);
  });
});

it("offers that come late change nothing", async () => {
  const offer = { tenant: "acme", version: 7, backlog: 0, weight: 1, waits: true };
  expect(await lane().offer(offer)).toMatchObject({ version: 7 });
  expect(await lane().offer({ ...offer, version: 3, backlog: 5 })).toMatchObject({ version: 7 });
  expect(await state()).toMatchObject({ slotsTaken: 0, backlog: 0 });
});

it("a tenant that has had no work for a minute is forgotten, and one that waits is not", async () => {
  const done = await TestTenant.make();
  const waiting = await TestTenant.make();
  const [job] = await done.submit(submission());
  await waiting.submit(submission({ notBefore: Date.now() + 3_600_000 }));
  await done.started(job!.id);
  await done.end(job!.id);
  expect(await lane().sweep()).toBe(2);
  const later = Date.now() + 61_000;
  await runInDurableObject(lane(), async (instance) => {
    const clock = vi.spyOn(Date, "now").mockReturnValue(later);
    await instance.sweep();
    clock.mockRestore();
  });
  expect(await lane().sweep()).toBe(1);
  await evict(lane());
  expect(await lane().sweep()).toBe(1);
});

it("an epoch is never used twice, however often the lane leaves memory", async () => {
  const tenant = await TestTenant.make();
  const epochs: number[] = [];
  for (let i = 0; i < 4; i++) {
    const [job] = await tenant.submit(submission());
    epochs.push((await tenant.started(job!.id)).grant.epoch);
    await tenant.end(job!.id);
    await evict(lane());
  }
  expect(epochs).toEqual([...new Set(epochs)].toSorted((a, b) => a - b));
});

const isHeld = (tenant: TestTenant, id: string): boolean => jobLog.held.has(`${tenant.name}/${id}`);
