import { abortAllDurableObjects, runDurableObjectAlarm } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import type { JobSubmission } from "../../../durable-objects/job-contract.ts";
import { type JobSummary, RetryRequest } from "../../../protocol/job.ts";
import { newKey } from "../../gateway/support.ts";
import { isolateSpec, newJob, playHost, playHosts } from "./support.ts";

/** The address that this Worker's configuration names; Tenant, Lane and Job are the real ones. */
const SANDBOX = "http://sandbox.test";
let starts: string[];
let answer: () => Response;

beforeEach(() => {
  playHosts();
  starts = [];
  answer = ended;
  playHost(SANDBOX, async (request) => {
    if (request.method !== "PUT") return Response.json({ ready: true });
    if (request.headers.get("Bulkhead-Signature")?.includes(" unknown ") === true) {
      return new Response(null, { status: 401, headers: { "Bulkhead-Boot": "boot-w" } });
    }
    starts.push(new URL(request.url).pathname);
    return answer();
  });
});
afterEach(() => {
  vi.restoreAllMocks();
});

const ended = (outcome = "ok"): Response => {
  const end = {
    runId: "x",
    outcome,
    certainty: "certain",
    started: true,
    valueJson: null,
    encoding: null,
    error: null,
    stdout: "",
    stderr: "",
    console: [],
    truncated: null,
    usage: { queueMs: 0, wallMs: 2, cpuMs: 1, memoryPeakBytes: 0, fetches: 0 },
  };
  const lines = [{ event: { type: "started", queueMs: 0 } }, { end }];
  return new Response(lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
};

async function submit(changes: Partial<JobSubmission> = {}) {
  const { tenant } = await newKey();
  const { jobId } = newJob({ url: "" }).identity;
  const stub = () => env.TENANT.getByName(tenant);
  const spec = { kind: "inline", text: JSON.stringify(isolateSpec()) } as const;
  const answered = await stub().submitJobs({
    keyId: null,
    policyVersion: 0,
    jobs: [
      {
        jobId,
        lane: "isolate",
        route: { lane: "isolate", reason: "asked for" },
        priority: 5,
        notBefore: null,
        expiresAt: null,
        retry: RetryRequest.parse({}),
        callback: null,
        spec,
        redriveOf: null,
        idempotency: null,
        ...changes,
      },
    ],
  });
  if (answered.kind !== "answered") throw new Error(JSON.stringify(answered));
  const job = () => env.JOB.getByName(`${tenant}/${jobId}`);
  const summary = () => stub().job(jobId) as Promise<JobSummary | null>;
  const types = async (): Promise<readonly string[]> => {
    const page = await job().events(0);
    return page.kind === "page" ? page.events.map((text) => JSON.parse(text).type) : [];
  };
  const over = () =>
    vi.waitFor(async () => expect((await types()).at(-1)).toBe("done"), { timeout: 8_000 });
  return { jobId, stub, job, summary, types, over };
}

describe("a job that goes the whole way", () => {
  it("from its tenant by its lane to an executor ends once, told by all alike", async () => {
    const test = await submit();
    await test.over();
    expect(await test.types()).toEqual(["queued", "started", "done"]);
    expect(await test.summary()).toMatchObject({ state: "done", runs: [{ outcome: "ok" }] });
    expect(starts).toHaveLength(1);
    await vi.waitFor(async () =>
      expect(await env.LANE.getByName("isolate").state()).toMatchObject({ slotsTaken: 0 }),
    );
  });

  it("runs again where it asked for that", async () => {
    answer = () => (starts.length === 1 ? ended("failed") : ended());
    const retry = RetryRequest.parse({ attempts: 1, backoffMs: 0 });
    const test = await submit({ retry });
    await test.over();
    expect(await test.types()).toEqual(["queued", "started", "retry", "started", "done"]);
    expect(await test.summary()).toMatchObject({
      state: "done",
      runs: [{ outcome: "failed" }, { outcome: "ok" }],
    });
  });

  it("is cancelled while it waits", async () => {
    const notBefore = Date.now() + 60_000;
    const test = await submit({ notBefore });
    await test.stub().cancelJob(test.jobId, "asked for");
    await test.over();
    expect(await test.types()).toEqual(["queued", "done"]);
    expect(await test.summary()).toMatchObject({ state: "cancelled" });
    expect(starts).toEqual([]);
  });

  it("survives a crash of all objects at once", async () => {
    let isFirst = true;
    playHost(SANDBOX, async (request) => {
      if (request.method !== "PUT") return Response.json({ ready: true });
      if (isFirst) {
        isFirst = false;
        await new Promise<never>(() => {});
      }
      return ended();
    });
    const test = await submit();
    await vi.waitFor(() => expect(isFirst).toBe(false));
    await abortAllDurableObjects();
    await runDurableObjectAlarm(test.job());
    await test.over();
    expect(await test.types()).toEqual(["queued", "started", "done"]);
    expect(await test.summary()).toMatchObject({ state: "done", runs: [{ outcome: "ok" }] });
  });
});
