import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { INLINE_SPEC_BYTES, specKey } from "../../../durable-objects/job-contract.ts";
import { BatchAnswer, JobPage, JobView } from "../../../protocol/job.ts";
import { ENDED, type PlayedExecutor, STARTED } from "../../durable-objects/job/support.ts";
import { newKey, problemOf, setOverrides } from "../support.ts";
import { BASH, jobOf, overOf, playLanes, send, submit, submitted } from "./support.ts";

let executor: PlayedExecutor;

beforeEach(() => {
  executor = playLanes();
});
afterEach(() => {
  vi.restoreAllMocks();
});

describe("POST /v1/jobs", () => {
  it("answers 202 with the job and where it is found, and the job then runs to its end", async () => {
    const { key } = await newKey();
    const response = await submit(key, { ...BASH, priority: 7 });
    expect(response.status).toBe(202);
    const job = JobView.parse(await response.json());
    expect(response.headers.get("Location")).toBe(`/v1/jobs/${job.id}`);
    expect(response.headers.get("RateLimit")).toContain('"tenant"');
    expect(job).toMatchObject({ lane: "container", priority: 7, result: null });

    const over = JobView.parse(await overOf(key, job.id));
    expect(over).toMatchObject({
      state: "done",
      runs: [{ executor: "container-1", outcome: "ok" }],
      result: { jobId: job.id, outcome: "ok", stdout: "hello\n", route: { lane: "container" } },
    });
    expect(executor.starts).toBe(1);
    expect(JSON.parse(executor.calls("PUT")[0]?.body ?? "")).toMatchObject({
      runtime: "bash",
      code: "echo hello",
      caps: { cpus: 1, memoryMb: 2_048, pids: 1_000 },
    });
  });

  it("waits as long as the caller would, and answers 200 when the job is over", async () => {
    const { key } = await newKey();
    const response = await submit(key, BASH, { Prefer: "wait=5" });
    expect(response.status).toBe(200);
    expect(response.headers.get("Preference-Applied")).toBe("wait=5");
    expect(response.headers.get("Vary")).toContain("Prefer");
    expect(await response.json()).toMatchObject({ state: "done", result: { outcome: "ok" } });
  });

  it("answers 202 where the job outlasts the wait, and the job goes on", async () => {
    executor.script = [STARTED];
    const { key } = await newKey();
    const response = await submit(key, BASH, { Prefer: "wait=1" });
    expect(response.status).toBe(202);
    const job: JobView = await response.json();
    expect(job.state).toBe("running");
    executor.tell(ENDED());
    expect(await overOf(key, job.id)).toMatchObject({ state: "done" });
  });

  it("keeps a long request apart, and takes it from there", async () => {
    const { tenant, key } = await newKey();
    const code = `echo ${"x".repeat(INLINE_SPEC_BYTES)}`;
    const job = await submitted(key, { ...BASH, code });
    expect(await env.ARTIFACTS.head(specKey(tenant, job.id))).not.toBeNull();
    expect(await overOf(key, job.id)).toMatchObject({ state: "done" });
    expect(executor.calls("PUT")[0]?.body).toContain(code);
  });

  it("leaves nothing of a long request that was refused", async () => {
    const { tenant, key } = await newKey(undefined, { scopes: ["read"] });
    const response = await submit(key, { ...BASH, code: "x".repeat(INLINE_SPEC_BYTES) });
    expect(response.status).toBe(403);
    const { objects } = await env.ARTIFACTS.list({ prefix: `t/${tenant}/` });
    expect(objects).toEqual([]);
  });

  it.each([
    [{ ...BASH, priority: 10 }, 400, "malformed_request"],
    [{ ...BASH, limits: { cpus: 5 } }, 400, "limit_out_of_range"],
    [{ ...BASH, limits: { memoryMb: 8_193 } }, 400, "limit_out_of_range"],
    [{ image: "debian:12" }, 403, "forbidden"],
    [{ action: "screenshot", url: "https://a.example" }, 501, "lane_unavailable"],
    [{ ...BASH, isolation: "warm" }, 400, "malformed_request"],
    ["{", 400, "malformed_request"],
  ])("refuses %j with %i", async (body, status, code) => {
    const { key } = await newKey();
    const problem = await problemOf(await submit(key, body));
    expect(problem).toMatchObject({ status, code });
  });

  it("holds a job to its tenant's own limits", async () => {
    const { tenant, key } = await newKey();
    await setOverrides(tenant, { container: { limits: { cpus: { maximum: 0.5 } } }, net: [] });
    const job = await submitted(key);
    await overOf(key, job.id);
    expect(JSON.parse(executor.calls("PUT")[0]?.body ?? "").caps).toMatchObject({ cpus: 0.5 });
    const problem = await problemOf(
      await submit(key, { ...BASH, permissions: { net: ["a.example"] } }),
    );
    expect(problem).toMatchObject({ status: 403 });
  });
});

describe("Idempotency-Key", () => {
  it("gives the same job to the same request, and 422 to another", async () => {
    const { key } = await newKey();
    const headers = { "Idempotency-Key": '"k-1"' };
    const first: JobView = await (await submit(key, BASH, headers)).json();
    await overOf(key, first.id);

    const again = await submit(key, { code: BASH.code, language: BASH.language }, headers);
    expect(again.headers.get("Idempotent-Replayed")).toBe("true");
    expect(again.status).toBe(200);
    expect(await again.json()).toMatchObject({ id: first.id, state: "done" });

    const other = await submit(key, { ...BASH, code: "echo other" }, headers);
    expect(await problemOf(other)).toMatchObject({ status: 422, code: "idempotency_conflict" });
    expect(executor.starts).toBe(1);
  });

  it("gives one job to requests that come at once", async () => {
    const { key } = await newKey();
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => submit(key, BASH, { "Idempotency-Key": "k-2" })),
    );
    const jobs = await Promise.all(answers.map((answer) => answer.json<JobView>()));
    expect(new Set(jobs.map(({ id }) => id)).size).toBe(1);
    expect(answers.map((answer) => answer.headers.get("Idempotent-Replayed"))).toContain(null);
  });

  it("is another tenant's own", async () => {
    const [a, b] = [await newKey(), await newKey()];
    const headers = { "Idempotency-Key": "k-3" };
    const one: JobView = await (await submit(a.key, BASH, headers)).json();
    const two: JobView = await (await submit(b.key, BASH, headers)).json();
    expect(one.id).not.toBe(two.id);
  });

  it("that is none of that form is refused", async () => {
    const { key } = await newKey();
    const problem = await problemOf(await submit(key, BASH, { "Idempotency-Key": "a b" }));
    expect(problem).toMatchObject({ status: 400, issues: [{ path: "Idempotency-Key" }] });
  });
});

describe("POST /v1/jobs/batch", () => {
  it("accepts and refuses each by itself, in order", async () => {
    const { key } = await newKey();
    const jobs = [BASH, { language: "cobol", code: "1" }, { ...BASH, limits: { pids: 1 } }, BASH];
    const response = await send("POST", "/v1/jobs/batch", key, { jobs });
    expect(response.status).toBe(200);
    const { results } = BatchAnswer.parse(await response.json());
    expect(results).toMatchObject([
      { status: 202, replayed: false },
      { status: 400, problem: { code: "malformed_request" } },
      { status: 400, problem: { code: "limit_out_of_range" } },
      { status: 202 },
    ]);
    const accepted = results.flatMap((result) => ("job" in result ? [result.job.id] : []));
    for (const id of accepted) expect(await overOf(key, id)).toMatchObject({ state: "done" });
  });

  it("that is sent again makes no job twice", async () => {
    const { key } = await newKey();
    const headers = { "Idempotency-Key": "batch" };
    const ids: (readonly string[])[] = [];
    for (let round = 0; round < 2; round++) {
      const response = await send(
        "POST",
        "/v1/jobs/batch",
        key,
        { jobs: [BASH, BASH] },
        { headers },
      );
      const { results } = BatchAnswer.parse(await response.json());
      ids.push(results.map((result) => ("job" in result ? result.job.id : "")));
    }
    expect(ids[0]).toEqual(ids[1]);
    expect(new Set(ids[0]).size).toBe(2);
  });

  it("is refused as a whole to who may not submit", async () => {
    const { key } = await newKey(undefined, { scopes: ["read"] });
    expect((await send("POST", "/v1/jobs/batch", key, { jobs: [BASH] })).status).toBe(403);
  });
});

describe("GET /v1/jobs", () => {
  it("lists the newest first, page by page, by state and lane", async () => {
    const { key } = await newKey();
    const ids: string[] = [];
    for (let i = 0; i < 3; i++) ids.unshift((await submitted(key)).id);
    for (const id of ids) await overOf(key, id);

    const list = async (query: string) =>
      JobPage.parse(await (await send("GET", `/v1/jobs${query}`, key)).json());
    expect((await list("")).jobs.map(({ id }) => id)).toEqual(ids);
    const first = await list("?limit=2");
    expect(first.jobs.map(({ id }) => id)).toEqual(ids.slice(0, 2));
    const rest = await list(`?limit=2&cursor=${first.nextCursor}`);
    expect(rest.jobs.map(({ id }) => id)).toEqual(ids.slice(2));
    expect((await list("?state=queued")).jobs).toEqual([]);
    expect((await list("?state=done&lane=container")).jobs).toHaveLength(3);
  });

  it.each(["limit=0", "limit=201", "state=lost", "lane=sea", "cursor=x"])(
    "refuses ?%s",
    async (query) => {
      const { key } = await newKey();
      expect((await send("GET", `/v1/jobs?${query}`, key)).status).toBe(400);
    },
  );
});

describe("a job of another tenant", () => {
  it("is not found, on any route", async () => {
    const [a, b] = [await newKey(), await newKey()];
    const { id } = await submitted(a.key);
    await overOf(a.key, id);
    for (const [method, path] of [
      ["GET", ""],
      ["GET", "/events"],
      ["GET", "/explain"],
      ["GET", "/artifacts"],
      ["GET", "/artifacts/x"],
      ["POST", "/redrive"],
      ["DELETE", ""],
    ] as const) {
      const problem = await problemOf(await send(method, `/v1/jobs/${id}${path}`, b.key));
      expect([path, problem.status]).toEqual([path, 404]);
    }
    expect(await jobOf(a.key, id)).toMatchObject({ state: "done" });
  });
});
