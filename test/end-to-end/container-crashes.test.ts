import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { readProcesses } from "../../scripts/stack/processes.ts";
import { JobClient } from "../support/job-client.ts";
import { type LaneStack, startLaneStack } from "../support/lane-stack.ts";
import { until } from "../support/sandbox-service.ts";
import { overlapping, type SignOfLife } from "../support/signs-of-life.ts";

const JOBS = 12;

const signs: SignOfLife[] = [];
let recorder: Server;
let lanes: LaneStack;
let client: JobClient;

beforeAll(async () => {
  recorder = createServer((request, response) => {
    const [, job = "", run = "", kind = ""] = (request.url ?? "").split("/");
    signs.push({ job, run, kind: kind as SignOfLife["kind"] });
    response.end("ok");
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => recorder.once("listening", resolve));
  lanes = await startLaneStack({
    containerEnv: { EGRESS_ALLOW_PRIVATE_HOSTS: address() },
    vars: { RATE_LIMIT_BURST: "1000", CONTAINER_NETWORK: "*" },
  });
  client = new JobClient(lanes.stack.gateway, lanes.stack.key);
});

afterAll(async () => {
  await lanes[Symbol.asyncDispose]();
  recorder.close();
});

const address = (): string => `localhost:${(recorder.address() as AddressInfo).port}`;

/** Says that it began, that it lives, and that it ended; each run under a name of its own. */
const code = (): string => `
  run=$RANDOM$RANDOM
  # The way out is the executor's: while that is away, it is tried again.
  say() { curl -sS --retry 40 --retry-all-errors --retry-delay 1 --noproxy '' "http://${address()}/$1/$run/$2" > /dev/null; }
  say "$1" start
  for i in 1 2 3 4; do sleep 0.2; echo "$i"; say "$1" beat; done
  say "$1" end`;

const kill = (name: string): void => {
  const record = readProcesses(join(lanes.stack.folder, "processes.json")).find(
    (process) => process.name === name,
  );
  if (record !== undefined) process.kill(record.pid, "SIGKILL");
};

const started = (): number =>
  new Set(signs.filter(({ kind }) => kind === "start").map(({ job }) => job)).size;

describe("acknowledged jobs in containers, while parts are killed", () => {
  it("each end exactly once, none is lost, and none has two runs at a time", async () => {
    const ids = await client.submitAll(
      Array.from({ length: JOBS }, (_, at) => ({
        language: "bash",
        code: code(),
        args: [`j${at}`],
        permissions: { net: [address()] },
      })),
    );

    for (const [begun, victims] of [
      [2, ["container-executor"]],
      [5, ["gateway runtime"]],
      [8, ["container-executor", "gateway runtime"]],
    ] as const) {
      await until(() => started() >= begun, 90_000);
      for (const victim of victims) kill(victim);
    }
    const views = await Promise.all(ids.map((id) => client.end(id)));

    expect(views.map(({ state, result }) => [state, result?.outcome, result?.stdout])).toEqual(
      ids.map(() => ["done", "ok", "1\n2\n3\n4\n"]),
    );
    const ended = signs.filter(({ kind }) => kind === "end").map(({ job }) => job);
    expect(new Set(ended).size).toBe(JOBS);
    expect(overlapping(signs)).toEqual([]);
    const wrong = [];
    for (const id of ids) {
      const events = await client.events(id);
      const gapless = events.every(({ seq }, at) => seq === at + 1);
      const dones = events.filter(({ type }) => type === "done").length;
      if (dones !== 1 || !gapless || events.at(-1)?.type !== "done") wrong.push({ id, events });
    }
    expect(wrong).toEqual([]);
  }, 240_000);
});
