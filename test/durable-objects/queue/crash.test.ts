import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import type { LaneState } from "../../../durable-objects/job-contract.ts";
import { faults, jobLog } from "./faults.ts";
import {
  clearAll,
  deleteAlarmsOf,
  epochsOf,
  evict,
  silenceExecutors,
  silenceGrants,
  submission,
  TestTenant,
} from "./support.ts";

beforeEach(silenceExecutors);
afterEach(async () => {
  clearAll();
  await reset();
});

const lane = () => env.LANE.getByName("container");
const laneState = async (): Promise<LaneState> => (await lane().state()) as LaneState;

const slotsFreed = () =>
  vi.waitFor(async () => expect((await laneState()).slotsTaken).toBe(0), { timeout: 15_000 });

/** Objects as they are between any two steps: as they were, or come back from their rows. */
const EVICTIONS = {
  nobody: async () => {},
  "the tenant": (tenant: TestTenant) => evict(tenant.stub),
  "the lane": () => evict(lane()),
  both: async (tenant: TestTenant) => {
    await evict(tenant.stub);
    await evict(lane());
  },
} as const;

describe.each(Object.entries(EVICTIONS))("with %s evicted between the steps", (_, evictThem) => {
  it.each(["nothing", "Lane.offer", "Tenant.take", "Job.start", "Tenant.settleJob", "Lane.settle"])(
    "and the answer of %s lost, a job runs and ends once",
    async (method) => {
      const tenant = await TestTenant.make();
      faults.drop(method);
      const [job] = await tenant.submit(submission());
      await evictThem(tenant);
      await tenant.started(job!.id);
      await evictThem(tenant);
      const ended = async () => {
        const { answer } = await tenant.end(job!.id);
        expect(answer).toEqual({ kind: "final", state: "done", reason: null });
      };
      await ended().catch(async () => {
        await evictThem(tenant);
        await ended();
      });
      await evictThem(tenant);
      await slotsFreed();
      expect(epochsOf(job!.id)).toHaveLength(1);
      expect(await tenant.job(job!.id)).toMatchObject({ state: "done", runs: [{ outcome: "ok" }] });
    },
    30_000,
  );

  it("a job that was lost runs again, under another epoch, and no earlier", async () => {
    const tenant = await TestTenant.make();
    const [job] = await tenant.submit(submission());
    const { grant } = await tenant.started(job!.id);
    await evictThem(tenant);
    const { answer, settlement } = await tenant.end(job!.id, {
      outcome: "infra_lost",
      lost: true,
    });
    expect(answer).toMatchObject({ kind: "retry" });
    await evictThem(tenant);
    const again = await tenant.started(job!.id, 2);
    expect(again.grant.epoch).toBeGreaterThan(grant.epoch);
    expect(await tenant.stub.settleJob(settlement)).toEqual({ kind: "stale" });
    await evictThem(tenant);
    await tenant.end(job!.id);
    expect(await tenant.job(job!.id)).toMatchObject({
      state: "done",
      runs: [{ outcome: "infra_lost" }, { outcome: "ok" }],
    });
    await slotsFreed();
  }, 30_000);

  it("a cancel reaches the Job of a running job, and the end of a queued one its Job", async () => {
    const tenant = await TestTenant.make({ maxConcurrent: 1 });
    const [running, queued] = await tenant.submit(submission(), submission());
    await tenant.started(running!.id);
    faults.drop("Job.cancel");
    await tenant.stub.cancelJob(running!.id, "no longer wanted");
    faults.drop("Job.endInQueue");
    expect(await tenant.stub.cancelJob(queued!.id, "no longer wanted")).toMatchObject({
      state: "cancelled",
      reason: "no longer wanted",
    });
    await evictThem(tenant);
    await vi.waitFor(
      () => {
        expect(jobLog.of(running!.id, "cancel").length).toBeGreaterThan(1);
        expect(jobLog.of(queued!.id, "endInQueue").length).toBeGreaterThan(1);
      },
      { timeout: 15_000 },
    );
    const { answer } = await tenant.end(running!.id, { outcome: "cancelled" });
    expect(answer).toEqual({ kind: "final", state: "cancelled", reason: "no longer wanted" });
    expect(jobLog.of(queued!.id, "start")).toHaveLength(0);
    await slotsFreed();
  }, 30_000);
});

it("neither the lane's slots nor the tenant's own are passed through restarts", async () => {
  const tenant = await TestTenant.make({ maxConcurrent: 3 });
  const other = await TestTenant.make();
  const jobs = await tenant.submit(...Array.from({ length: 6 }, () => submission()));
  await vi.waitFor(() => expect(startedOf(jobs)).toHaveLength(3));
  for (let i = 0; i < 3; i++) {
    await evict(tenant.stub);
    await evict(lane());
    await lane().sweep();
  }
  expect(startedOf(jobs)).toHaveLength(3);
  // The lane has four slots: two executors with two each.
  const others = await other.submit(submission(), submission());
  await vi.waitFor(() => expect(startedOf(others)).toHaveLength(1));
  await evict(lane());
  await lane().sweep();
  expect(await laneState()).toMatchObject({ slotsTaken: 4, slots: 4 });
  expect(startedOf(others)).toHaveLength(1);
});

it("the sweep sets going what no alarm does", async () => {
  const tenant = await TestTenant.make();
  const [job] = await tenant.submit(submission({ notBefore: Date.now() + 500 }));
  await vi.waitFor(async () => expect(await lane().sweep()).toBe(1));
  await deleteAlarmsOf(tenant.stub);
  await evict(tenant.stub);
  await vi.waitFor(
    async () => {
      await env.CONTROL.getByName("control").sweep();
      expect(epochsOf(job!.id)).toHaveLength(1);
    },
    { timeout: 10_000 },
  );
});

it("a slot whose run nobody renews is free only once neither Job nor tenant holds it", async () => {
  const tenant = await TestTenant.make();
  const [job] = await tenant.submit(submission());
  const { grant } = await tenant.started(job!.id);
  // The Job holds it: the slot stays taken.
  await silenceGrants(lane());
  await vi.waitFor(() => expect(jobLog.of(job!.id, "wake").length).toBeGreaterThan(0));
  expect(await laneState()).toMatchObject({ slotsTaken: 1 });
  // The Job was never told: it is told again, and the slot stays taken.
  jobLog.held.clear();
  const told = jobLog.of(job!.id, "start").length;
  await silenceGrants(lane());
  await vi.waitFor(() => expect(jobLog.of(job!.id, "start").length).toBeGreaterThan(told));
  expect(await laneState()).toMatchObject({ slotsTaken: 1 });
  // The tenant knows its end, and the lane was never told.
  await tenant.stub.settleJob({
    jobId: job!.id,
    epoch: grant.epoch,
    end: { kind: "ended", outcome: "ok", certainty: "certain", cpuMs: 0, wallMs: 0, lost: false },
  });
  jobLog.held.clear();
  await silenceGrants(lane());
  await slotsFreed();
  expect(epochsOf(job!.id)).toHaveLength(1);
});

const startedOf = (jobs: readonly { readonly id: string }[]) =>
  jobs.filter(({ id }) => epochsOf(id).length > 0);
