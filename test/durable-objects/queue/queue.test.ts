import { reset, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import {
  INLINE_SPEC_BYTES,
  type QueueEnd,
  specKey,
} from "../../../durable-objects/job-contract.ts";
import { PAGE_ROWS_MAX } from "../../../durable-objects/queue/job-rows.ts";
import { RetryRequest } from "../../../protocol/job.ts";
import { jobLog } from "./faults.ts";
import {
  alarmAfter,
  clearAll,
  epochsOf,
  evict,
  KEY_ID,
  newJobId,
  silenceExecutors,
  submission,
  TestTenant,
} from "./support.ts";

beforeEach(silenceExecutors);
afterEach(async () => {
  clearAll();
  await reset();
});

const DAY_MS = 24 * 60 * 60 * 1000;
const laneState = () => env.LANE.getByName("container").state();
const many = (count: number, changes = {}) =>
  Array.from({ length: count }, () => submission(changes));

describe("a job that is submitted", () => {
  it("is answered as queued, starts at an executor with a free slot, and ends once", async () => {
    const tenant = await TestTenant.make();
    const [job] = await tenant.submit(submission());
    expect(job).toMatchObject({ state: "queued", queue: { position: 1, running: 0 }, runs: [] });
    const start = await tenant.started(job!.id);
    expect(start).toMatchObject({
      identity: { tenant: tenant.name, jobId: job!.id, position: 1 },
      grant: { lane: "container", executor: { name: "container-1" } },
      spec: { kind: "inline", text: "{}" },
    });
    expect(await tenant.job(job!.id)).toMatchObject({
      state: "running",
      queue: null,
      runs: [{ runId: `${job!.id}.${start.grant.epoch}`, outcome: null }],
    });
    const { answer, settlement } = await tenant.end(job!.id);
    expect(answer).toEqual({ kind: "final", state: "done", reason: null });
    expect(await tenant.stub.settleJob(settlement)).toEqual(answer);
    expect(await tenant.job(job!.id)).toMatchObject({ state: "done", runs: [{ outcome: "ok" }] });
    expect(await laneState()).toMatchObject({ slotsTaken: 0, usualMs: 10 });
  });

  it("keeps its state, whatever is asked of it once it is over", async () => {
    const tenant = await TestTenant.make();
    const [job] = await tenant.submit(submission());
    await tenant.started(job!.id);
    const { settlement } = await tenant.end(job!.id);
    const over = await tenant.job(job!.id);
    await tenant.stub.cancelJob(job!.id, "too late");
    const end = { ...settlement.end, outcome: "failed" } as typeof settlement.end;
    expect(await tenant.stub.settleJob({ ...settlement, end })).toMatchObject({ state: "done" });
    expect(await tenant.stub.settleJob({ ...settlement, epoch: 9_999 })).toEqual({ kind: "stale" });
    await evict(tenant.stub);
    expect(await tenant.job(job!.id)).toEqual(over);
  });

  it("counts for its tenant's use and concurrency", async () => {
    const tenant = await TestTenant.make({ maxConcurrent: 1 });
    const [job] = await tenant.submit(submission());
    await tenant.started(job!.id);
    const admission = {
      keyId: KEY_ID,
      scope: "run",
      lane: "isolate",
      runId: "run_1",
      leaseMs: 60_000,
      policyVersion: 1,
      mode: "take",
      settlements: [],
    } as const;
    expect(await tenant.stub.admit(admission)).toMatchObject({
      failure: { code: "concurrency_limited", limit: 1 },
    });
    await tenant.end(job!.id, { cpuMs: 70, wallMs: 90 });
    const { usage } = await tenant.stub.overview(KEY_ID, "2026-01-01");
    expect(usage).toMatchObject([{ lane: "container", runs: 1, cpuMs: 70, wallMs: 90 }]);
  });

  it("is refused where its key, its rate or its quota refuses it, each by itself", async () => {
    const tenant = await TestTenant.make({ quota: { runsPerDay: 2 } });
    const answer = await tenant.ask(...many(3));
    expect(answer).toMatchObject({
      answers: [
        { kind: "accepted" },
        { kind: "accepted" },
        { kind: "refused", failure: { code: "quota_exceeded" } },
      ],
    });
    const policyVersion = 1;
    const unknown = { keyId: "abbbbbbbbbbbbbbbb", policyVersion, jobs: many(1) };
    expect(await tenant.stub.submitJobs(unknown)).toMatchObject({
      kind: "refused",
      failure: { code: "unauthenticated" },
    });
    expect(
      await tenant.stub.submitJobs({ keyId: KEY_ID, policyVersion: 0, jobs: many(1) }),
    ).toMatchObject({ kind: "policy_changed" });
  });

  it("takes no more than 4 KiB of its tenant's rows beside its callback", async () => {
    const tenant = await TestTenant.make();
    const text = "x".repeat(INLINE_SPEC_BYTES);
    await tenant.submit(submission({ spec: { kind: "inline", text } }));
    await runInDurableObject(tenant.stub, (_, state) => {
      const { bytes } = state.storage.sql
        .exec<{ bytes: number }>(
          "SELECT length(id) + length(facts) + length(progress) + length(spec) AS bytes FROM jobs",
        )
        .one();
      expect(bytes).toBeLessThan(4_096);
    });
  });
});

describe("the queue's size", () => {
  it("takes as many as may wait, refuses the next, and takes it when one has gone", async () => {
    const tenant = await TestTenant.make();
    const later = { notBefore: Date.now() + DAY_MS };
    for (let i = 0; i < 10; i++) await tenant.submit(...many(100, later));
    expect(await tenant.ask(submission(later))).toMatchObject({
      answers: [{ kind: "refused", failure: { code: "queue_full", limit: 1_000 } }],
    });
    const { jobs } = await tenant.stub.jobs({ state: null, lane: null, cursor: null, limit: 1 });
    await tenant.stub.cancelJob(jobs[0]!.id, "no longer wanted");
    await tenant.submit(submission(later));
  });
});

describe("an idempotency key", () => {
  const idempotency = { key: "POST /v1/jobs k", fingerprint: "f1" };

  it("gives the same job again, and costs nothing", async () => {
    const rateLimit = { requests: 1, windowS: 3_600, burst: 5 };
    const tenant = await TestTenant.make({ rateLimit });
    const first = await tenant.ask(submission({ idempotency }));
    const again = await tenant.ask(submission({ idempotency }));
    expect(first).toMatchObject({ answers: [{ kind: "accepted", replayed: false }] });
    expect(again).toMatchObject({ answers: [{ kind: "accepted", replayed: true }] });
    const { jobs } = await tenant.stub.jobs({ state: null, lane: null, cursor: null, limit: 10 });
    expect(jobs).toHaveLength(1);
    // The one job cost five of five; a second would have been refused.
    await expect(tenant.submit(submission())).rejects.toThrow("rate_limited");
  });

  it("gives the same job to a tenant that was out of memory", async () => {
    const tenant = await TestTenant.make();
    const [first] = await tenant.submit(submission({ idempotency }));
    await evict(tenant.stub);
    const [again] = await tenant.submit(submission({ idempotency }));
    expect(again!.id).toBe(first!.id);
  });

  it("refuses another request", async () => {
    const tenant = await TestTenant.make();
    await tenant.submit(submission({ idempotency }));
    const other = submission({ idempotency: { ...idempotency, fingerprint: "f2" } });
    expect(await tenant.ask(other)).toMatchObject({
      answers: [{ kind: "refused", failure: { code: "idempotency_conflict" } }],
    });
  });

  it("is made only once among many at the same time", async () => {
    const tenant = await TestTenant.make();
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => tenant.submit(submission({ idempotency }))),
    );
    expect(new Set(answers.map(([job]) => job!.id)).size).toBe(1);
  });

  it("is forgotten after a day", async () => {
    const tenant = await TestTenant.make();
    const [first] = await tenant.submit(submission({ idempotency }));
    const clock = vi.spyOn(Date, "now").mockReturnValue(Date.now() + DAY_MS);
    const [second] = await tenant.submit(submission({ idempotency }));
    clock.mockRestore();
    expect(second!.id).not.toBe(first!.id);
  });

  it("is not needed for a submission that is sent twice", async () => {
    const tenant = await TestTenant.make();
    const once = submission();
    const [first] = await tenant.submit(once);
    const [again] = await tenant.submit(once);
    expect(again!.id).toBe(first!.id);
  });
});

describe("a job that waits", () => {
  it("is told its place, by priority and then by time", async () => {
    const tenant = await TestTenant.make({ maxConcurrent: 1 });
    const [running] = await tenant.submit(submission());
    await tenant.started(running!.id);
    const [low, high, same] = await tenant.submit(
      submission({ priority: 1 }),
      submission({ priority: 9 }),
      submission({ priority: 1 }),
    );
    const places = async () =>
      Promise.all([high, low, same].map(async (job) => (await tenant.job(job!.id)).queue));
    expect(await places()).toMatchObject([
      { position: 1, running: 1, maxConcurrency: 1 },
      { position: 2 },
      { position: 3 },
    ]);
    await tenant.end(running!.id);
    await tenant.started(high!.id);
    expect(epochsOf(low!.id)).toHaveLength(0);
    expect(await places()).toMatchObject([null, { position: 1 }, { position: 2 }]);
  });

  it("does not start before its notBefore, and does after it", async () => {
    const tenant = await TestTenant.make();
    const notBefore = Date.now() + 600;
    const [job] = await tenant.submit(submission({ notBefore }));
    expect(job).toMatchObject({ queue: { notBefore: new Date(notBefore).toISOString() } });
    await tenant.started(job!.id);
    expect(Date.now()).toBeGreaterThanOrEqual(notBefore);
  });

  it("ends expired where it waited for longer than QUEUE_TIMEOUT_MS, its Job told", async () => {
    const tenant = await TestTenant.make({ maxConcurrent: 1, quota: { runsPerDay: 10 } });
    const [running, waiting] = await tenant.submit(submission(), submission());
    await tenant.started(running!.id);
    await alarmAfter(tenant.stub, 299_000);
    expect(await tenant.job(waiting!.id)).toMatchObject({ state: "queued" });
    await alarmAfter(tenant.stub, 300_001);
    expect(await tenant.job(waiting!.id)).toMatchObject({
      state: "expired",
      reason: "it waited longer than 300000 ms for a slot",
      endedAt: expect.any(String),
    });
    await vi.waitFor(() => expect(jobLog.of(waiting!.id, "endInQueue")).toHaveLength(1));
    expect((jobLog.of(waiting!.id)[0]!.argument as QueueEnd).state).toBe("expired");
    expect(await tenant.job(running!.id)).toMatchObject({ state: "running" });
    // What never ran is no run of the day.
    const { usage } = await tenant.stub.overview(KEY_ID, "2026-01-01");
    expect(usage).toMatchObject([{ runs: 1 }]);
  });

  it("ends expired where it has not started by its expiresAt", async () => {
    const tenant = await TestTenant.make({ maxConcurrent: 1 });
    const [running] = await tenant.submit(submission());
    await tenant.started(running!.id);
    const [waiting] = await tenant.submit(submission({ expiresAt: Date.now() + 400 }));
    await vi.waitFor(
      async () =>
        expect(await tenant.job(waiting!.id)).toMatchObject({
          state: "expired",
          reason: "it did not start by its expiresAt",
        }),
      { timeout: 5_000 },
    );
  });

  it("goes back to its place where no executor took it, without a run, and may expire", async () => {
    const tenant = await TestTenant.make();
    const [job] = await tenant.submit(submission());
    const { grant } = await tenant.started(job!.id);
    const answer = await tenant.stub.settleJob({
      jobId: job!.id,
      epoch: grant.epoch,
      end: { kind: "not_taken", retryAfterMs: 60_000 },
    });
    expect(answer).toMatchObject({ kind: "retry" });
    expect(await tenant.job(job!.id)).toMatchObject({ state: "queued", runs: [], startedAt: null });
    await alarmAfter(tenant.stub, 300_001);
    expect(await tenant.job(job!.id)).toMatchObject({ state: "expired" });
  });

  it("is explained: what it waits for, and how it was decided", async () => {
    const tenant = await TestTenant.make({ maxConcurrent: 1 });
    const [running, waiting, later] = await tenant.submit(
      submission(),
      submission(),
      submission({ notBefore: Date.now() + DAY_MS }),
    );
    await tenant.started(running!.id);
    expect(await tenant.stub.explainJob(waiting!.id)).toMatchObject({
      waitsFor: "tenant_concurrency",
      tenant: { running: 1, queued: 2, maxConcurrency: 1 },
      lane: { slotsTaken: 1, slots: 4 },
    });
    expect(await tenant.stub.explainJob(later!.id)).toMatchObject({ waitsFor: "its_time" });
    expect(await tenant.stub.explainJob(running!.id)).toMatchObject({
      waitsFor: null,
      decision: "It runs on container-1",
    });
    await tenant.end(running!.id, { outcome: "failed" });
    expect(await tenant.stub.explainJob(running!.id)).toMatchObject({
      decision: "It ended done, its run on container-1 with the outcome failed",
    });
    expect(await tenant.stub.explainJob(newJobId())).toBeNull();
  });
});

describe("a job that failed", () => {
  it("is tried again for the outcomes that its retry names", async () => {
    const tenant = await TestTenant.make();
    const retry = RetryRequest.parse({ attempts: 1, backoffMs: 0, on: ["failed"] });
    const [job] = await tenant.submit(submission({ retry }));
    await tenant.started(job!.id);
    expect(await tenant.end(job!.id, { outcome: "failed" })).toMatchObject({
      answer: { kind: "retry" },
    });
    await tenant.started(job!.id, 2);
    const { answer } = await tenant.end(job!.id, { outcome: "failed" });
    expect(answer).toMatchObject({ kind: "final", state: "done" });
  });

  it("is dead with its reason once it was lost too often, and runs as a new job when redriven", async () => {
    const tenant = await TestTenant.make();
    const retry = RetryRequest.parse({ onLost: 0 });
    const [job] = await tenant.submit(submission({ retry, priority: 7 }));
    const newId = newJobId();
    const request = {
      keyId: KEY_ID,
      policyVersion: 1,
      jobId: job!.id,
      newJobId: newId,
      specCopied: false,
    };
    await tenant.started(job!.id);
    expect(await tenant.stub.redriveJob(request)).toMatchObject({ failure: { code: "conflict" } });
    const { answer } = await tenant.end(job!.id, { outcome: "infra_lost", lost: true });
    expect(answer).toEqual({ kind: "final", state: "dead", reason: "the platform lost its run" });
    const redriven = await tenant.stub.redriveJob(request);
    expect(redriven).toMatchObject({
      answers: [{ job: { id: newId, redriveOf: job!.id, priority: 7 } }],
    });
    expect(await tenant.started(newId)).toMatchObject({ spec: { text: "{}" } });
    expect(await tenant.job(job!.id)).toMatchObject({ state: "dead" });
    expect(await tenant.stub.redriveJob({ ...request, jobId: newJobId() })).toBeNull();
  });

  it("is redriven with a copy of a spec that lies in R2", async () => {
    const tenant = await TestTenant.make();
    const jobId = newJobId();
    const key = specKey(tenant.name, jobId);
    const [job] = await tenant.submit(submission({ jobId, spec: { kind: "r2", key } }));
    await tenant.started(job!.id);
    await tenant.end(job!.id);
    const newId = newJobId();
    const request = { keyId: KEY_ID, policyVersion: 1, jobId, newJobId: newId };
    const to = specKey(tenant.name, newId);
    expect(await tenant.stub.redriveJob({ ...request, specCopied: false })).toEqual({
      kind: "copy_spec",
      from: key,
      to,
    });
    await tenant.stub.redriveJob({ ...request, specCopied: true });
    expect(await tenant.started(newId)).toMatchObject({ spec: { kind: "r2", key: to } });
  });
});

describe("the list of jobs", () => {
  it("is newest first, page by page, and filtered by state and lane", async () => {
    const tenant = await TestTenant.make({ maxConcurrent: 1 });
    const jobs = await tenant.submit(...many(4), submission({ lane: "isolate" }));
    await tenant.stub.cancelJob(jobs[3]!.id, "no longer wanted");
    const all = { state: null, lane: null, cursor: null, limit: 3 } as const;
    const first = await tenant.stub.jobs(all);
    expect(first.jobs.map(({ id }) => id)).toEqual([jobs[4]!.id, jobs[3]!.id, jobs[2]!.id]);
    const second = await tenant.stub.jobs({ ...all, cursor: first.nextCursor });
    expect(second.jobs.map(({ id }) => id)).toEqual([jobs[1]!.id, jobs[0]!.id]);
    expect(second.nextCursor).toBeNull();
    const idsOf = async (filter: object) =>
      (await tenant.stub.jobs({ ...all, ...filter })).jobs.map(({ id }) => id);
    expect(await idsOf({ state: "cancelled" })).toEqual([jobs[3]!.id]);
    expect(await idsOf({ lane: "isolate" })).toEqual([jobs[4]!.id]);
    expect(await idsOf({ state: "dead" })).toEqual([]);
  });

  it("looks at no more than so many jobs for a page, and says where to go on", async () => {
    const tenant = await TestTenant.make();
    const [oldest] = await tenant.submit(submission({ lane: "isolate" }));
    await tenant.started(oldest!.id);
    await tenant.end(oldest!.id);
    const later = { notBefore: Date.now() + DAY_MS };
    for (let i = 0; i < PAGE_ROWS_MAX / 100; i++) await tenant.submit(...many(100, later));
    const filter = { state: "done", lane: null, cursor: null, limit: 10 } as const;
    const { jobs, nextCursor } = await tenant.stub.jobs(filter);
    expect(jobs).toEqual([]);
    expect(nextCursor).not.toBeNull();
    const next = await tenant.stub.jobs({ ...filter, cursor: nextCursor });
    expect(next).toMatchObject({ jobs: [{ id: oldest!.id }], nextCursor: null });
  });
});

describe("jobs that are over", () => {
  it("are deleted with their Jobs after JOB_RETENTION_MS, and their ids are gone", async () => {
    const tenant = await TestTenant.make();
    const idempotency = { key: "k", fingerprint: "f" };
    const [old] = await tenant.submit(submission({ idempotency }));
    await tenant.started(old!.id);
    await tenant.end(old!.id);
    await alarmAfter(tenant.stub, 6 * DAY_MS);
    expect(await tenant.job(old!.id)).toMatchObject({ state: "done" });
    await alarmAfter(tenant.stub, 7 * DAY_MS + 1_000);
    expect(await tenant.stub.job(old!.id)).toBeNull();
    expect(jobLog.of(old!.id, "purge")).toHaveLength(1);
  });

  it("stay while they run, however old", async () => {
    const tenant = await TestTenant.make();
    const [job] = await tenant.submit(submission());
    await tenant.started(job!.id);
    await alarmAfter(tenant.stub, 30 * DAY_MS);
    expect(await tenant.job(job!.id)).toMatchObject({ state: "running" });
  });
});

it("the queue says how many wait and run, by lane", async () => {
  const tenant = await TestTenant.make({ maxConcurrent: 2 });
  const jobs = await tenant.submit(...many(3));
  await vi.waitFor(async () =>
    expect(await tenant.stub.queueView()).toEqual({
      lanes: { container: { running: 2, queued: 1 } },
      maxConcurrency: 2,
    }),
  );
  expect(jobs).toHaveLength(3);
});

it("a run of the fast path that ends lets a job start that waited for its place", async () => {
  const tenant = await TestTenant.make({ maxConcurrent: 1 });
  const admission = {
    keyId: KEY_ID,
    scope: "run",
    lane: "isolate",
    runId: "run_9",
    leaseMs: 60_000,
    policyVersion: 1,
    mode: "take",
    settlements: [],
  } as const;
  await tenant.stub.admit(admission);
  const [job] = await tenant.submit(submission());
  expect(await tenant.stub.explainJob(job!.id)).toMatchObject({ waitsFor: "tenant_concurrency" });
  await tenant.stub.settle([
    { runId: "run_9", keyId: KEY_ID, lane: "isolate", cpuMs: 0, wallMs: 0, refunded: false },
  ]);
  await tenant.started(job!.id);
});
