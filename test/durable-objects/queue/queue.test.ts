import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";

import { jobLog } from "./faults.ts";
import { clearAll, epochsOf, newJobId, submission, TestTenant } from "./support.ts";

afterEach(async () => {
  clearAll();
  await reset();
});

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
    expect(await env.LANE.getByName("container").state()).toMatchObject({ slotsTaken: 0 });
  });
});
