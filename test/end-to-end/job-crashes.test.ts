import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { readProcesses } from "../../scripts/stack/processes.ts";
import { type Stack, startStack } from "../../scripts/stack/stack.ts";
import { JobClient } from "../support/job-client.ts";
import { until } from "../support/sandbox-service.ts";
import { overlapping, type SignOfLife } from "../support/signs-of-life.ts";

const ROOT = join(import.meta.dirname, "../..");
const JOBS = 200;

const beats: SignOfLife[] = [];
let recorder: Server;
let stack: Stack;
let client: JobClient;

/** Says that it began, that it lives, and that it ended; each run under a name of its own. */
const code = (address: string) => `
  export default async ({ job }) => {
    const run = crypto.randomUUID();
    const say = (kind) => fetch("http://${address}/", {
      method: "POST", body: JSON.stringify({ job, run, kind }),
    }).then((answer) => answer.text());
    await say("start");
    for (let i = 0; i < 3; i++) {
      await new Promise((resolve) => setTimeout(resolve, 60));
      await say("beat");
    }
    await say("end");
    return job;
  }`;

beforeAll(async () => {
  recorder = createServer((request, response) => {
    let text = "";
    request.on("data", (chunk: Buffer) => (text += chunk.toString()));
    request.on("end", () => {
      beats.push(JSON.parse(text) as SignOfLife);
      response.end("ok");
    });
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => recorder.once("listening", resolve));
  stack = await startStack({
    root: ROOT,
    sandboxEnv: { EGRESS_ALLOW_PRIVATE_HOSTS: address() },
    vars: { RATE_LIMIT_BURST: "1000", MAX_CONCURRENT_ISOLATE_JOBS: "4" },
  });
  client = new JobClient(stack.gateway, stack.key);
});

afterAll(async () => {
  await stack.stop();
  recorder.close();
});

const address = (): string => `127.0.0.1:${(recorder.address() as AddressInfo).port}`;

const kill = (name: string): void => {
  const record = readProcesses(join(stack.folder, "processes.json")).find(
    (process) => process.name === name,
  );
  if (record !== undefined) process.kill(record.pid, "SIGKILL");
};

const endedJobs = (): number =>
  new Set(beats.filter(({ kind }) => kind === "end").map(({ job }) => job)).size;

describe("200 acknowledged jobs, while parts are killed", () => {
  it("each end exactly once, none is lost, and none has two runs at a time", async () => {
    const requests = Array.from({ length: JOBS }, (_, at) => ({
      language: "typescript",
      code: code(address()),
      input: { job: `j${at}` },
      permissions: { net: [address()] },
    }));
    const ids = [
      ...(await client.submitAll(requests.slice(0, JOBS / 2))),
      ...(await client.submitAll(requests.slice(JOBS / 2))),
    ];

    for (const [done, victims] of [
      [20, ["sandbox-worker"]],
      [60, ["gateway runtime"]],
      [100, ["sandbox-worker", "gateway runtime"]],
    ] as const) {
      await until(() => endedJobs() >= done, 60_000);
      for (const victim of victims) kill(victim);
    }
    const views = await Promise.all(ids.map((id) => client.end(id)));

    expect(views.filter(({ state }) => state !== "done")).toEqual([]);
    expect(views.map(({ result }) => result?.value)).toEqual(
      requests.map(({ input }) => input.job),
    );
    expect(endedJobs()).toBe(JOBS);
    expect(overlapping(beats)).toEqual([]);
    const wrong = [];
    for (const id of ids) {
      const events = await client.events(id);
      const numbers = events.map(({ seq }) => seq);
      const dones = events.filter(({ type }) => type === "done").length;
      const gapless = numbers.every((seq, at) => seq === at + 1);
      if (dones !== 1 || !gapless || events.at(-1)?.type !== "done") wrong.push({ id, events });
    }
    expect(wrong).toEqual([]);
  }, 240_000);
});

describe("the check for runs at the same time", () => {
  it("finds one that goes on while another has begun", () => {
    const beat = (run: string, kind: SignOfLife["kind"]): SignOfLife => ({ job: "j", run, kind });

    expect(overlapping([beat("a", "start"), beat("b", "start"), beat("b", "end")])).toEqual([]);
    expect(overlapping([beat("a", "start"), beat("b", "start"), beat("a", "beat")])).toEqual(["j"]);
  });
});
