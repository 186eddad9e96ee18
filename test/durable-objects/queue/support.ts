import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { vi } from "vitest";

import {
  type JobStart,
  type JobSubmission,
  jobObjectName,
  type RunSettlement,
  type SubmitAnswer,
} from "../../../durable-objects/job-contract.ts";
import type { Lane } from "../../../durable-objects/lane/lane.ts";
import type { Tenant } from "../../../durable-objects/tenant/tenant.ts";
import { base32 } from "../../../protocol/api-key.ts";
import { RetryRequest } from "../../../protocol/job.ts";
import type { JobSummary } from "../../../protocol/job.ts";
import type { TenantOverrides } from "../../../protocol/tenant.ts";
import { faults, jobLog } from "./faults.ts";

export const KEY_ID = "aaaaaaaaaaaaaaaaa";

export const newJobId = (): string =>
  `job_${base32(crypto.getRandomValues(new Uint8Array(17))).slice(0, 26)}`;

export const submission = (changes: Partial<JobSubmission> = {}): JobSubmission => ({
  jobId: newJobId(),
  lane: "container",
  route: { lane: "container", reason: "it is a test" },
  priority: 5,
  notBefore: null,
  expiresAt: null,
  retry: RetryRequest.parse({}),
  callback: null,
  spec: { kind: "inline", text: "{}" },
  redriveOf: null,
  idempotency: null,
  ...changes,
});

/** Wide enough that nothing but the queue itself holds a test up. */
const WIDE: TenantOverrides = { rateLimit: { requests: 1_000_000, windowS: 1, burst: 1_000_000 } };

/** A tenant of a test's own, with what a test asks of it. */
export class TestTenant {
  readonly name = `t-${crypto.randomUUID().slice(0, 13)}`;

  static async make(overrides: TenantOverrides = {}): Promise<TestTenant> {
    const tenant = new TestTenant();
    await tenant.stub.addKey({
      keyId: KEY_ID,
      name: "",
      scopes: ["run", "read"],
      createdAt: "2026-11-22T00:00:00.000Z",
      expiresAt: null,
      revokedAt: null,
      rate: null,
    });
    await tenant.stub.setOverrides({ ...WIDE, ...overrides });
    return tenant;
  }

  /** A stub that has thrown goes on throwing, so each call gets its own. */
  get stub(): DurableObjectStub<Tenant> {
    return env.TENANT.getByName(this.name);
  }

  async ask(...jobs: readonly JobSubmission[]): Promise<SubmitAnswer> {
    const { version } = await this.stub.policy();
    return (await this.stub.submitJobs({
      keyId: KEY_ID,
      policyVersion: version,
      jobs,
    })) as SubmitAnswer;
  }

  /** Submits, and returns the jobs that were accepted: all of them. */
  async submit(...jobs: readonly JobSubmission[]): Promise<readonly JobSummary[]> {
    const answer = await this.ask(...jobs);
    if (answer.kind !== "answered") throw new Error(JSON.stringify(answer));
    return answer.answers.map((one) => {
      if (one.kind !== "accepted") throw new Error(JSON.stringify(one));
      return one.job;
    });
  }

  async job(id: string): Promise<JobSummary> {
    const job = await this.stub.job(id);
    if (job === null) throw new Error(`no job "${id}"`);
    return job as JobSummary;
  }

  /** What the job's last start said, once it has been told. */
  async started(id: string, times = 1): Promise<JobStart> {
    return vi.waitUntil(() => epochsOf(id).length === times && lastStart(id), { timeout: 10_000 });
  }

  /** Ends a run as its Job would: with the tenant, then with the lane. */
  async end(id: string, end: Partial<Extract<RunSettlement["end"], { kind: "ended" }>> = {}) {
    const { grant } = lastStart(id);
    jobLog.held.delete(jobObjectName(this.name, id));
    const settlement: RunSettlement = {
      jobId: id,
      epoch: grant.epoch,
      end: {
        kind: "ended",
        outcome: "ok",
        certainty: "certain",
        cpuMs: 1,
        wallMs: 2,
        lost: false,
        ...end,
      },
    };
    const answer = await this.stub.settleJob(settlement);
    await env.LANE.getByName(grant.lane).settle({
      epoch: grant.epoch,
      costMs: 10,
      avoidExecutorMs: null,
    });
    return { answer, settlement };
  }
}

function lastStart(id: string): JobStart {
  const last = jobLog.of(id, "start").at(-1);
  if (last === undefined) throw new Error(`job "${id}" was never started`);
  return last.argument as JobStart;
}

/** The epochs that a job was started with: a start that is told again is the same start. */
export const epochsOf = (id: string): readonly number[] => [
  ...new Set(jobLog.of(id, "start").map(({ argument }) => (argument as JobStart).grant.epoch)),
];

export function clearAll(): void {
  faults.clear();
  jobLog.clear();
}

/** Executors answer nothing of their load, and messages that are lost on purpose are no news. */
export function silenceExecutors(): void {
  vi.spyOn(console, "warn").mockImplementation(() => {});
  vi.spyOn(globalThis, "fetch").mockImplementation(async () => new Response(null, { status: 503 }));
}

/** Takes an object out of memory, if it is there. */
export async function evict(stub: DurableObjectStub<Tenant> | DurableObjectStub<Lane>) {
  try {
    await evictDurableObject(stub as DurableObjectStub);
  } catch (error) {
    if (!String(error).includes("not currently running")) throw error;
  }
}

/** As where an alarm has failed six times. */
export const deleteAlarmsOf = (stub: DurableObjectStub<Tenant>): Promise<void> =>
  runInDurableObject(stub, (_, state) => state.storage.deleteAlarm());

/** Lets the lane look at its grants as if their Jobs had been silent for longer than it waits. */
export async function silenceGrants(stub: DurableObjectStub<Lane>): Promise<void> {
  const later = Date.now() + 10 * 60_000;
  await runInDurableObject(stub, (lane) => {
    const clock = vi.spyOn(Date, "now").mockReturnValue(later);
    try {
      lane.alarm();
    } finally {
      clock.mockRestore();
    }
  });
}

/** The tenant's alarm, as if so much time had passed. */
export const alarmAfter = (stub: DurableObjectStub<Tenant>, ms: number): Promise<void> =>
  runInDurableObject(stub, async (tenant) => {
    const now = Date.now() + ms;
    const clock = vi.spyOn(Date, "now").mockReturnValue(now);
    try {
      await tenant.alarm();
    } finally {
      clock.mockRestore();
    }
  });
