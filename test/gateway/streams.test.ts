import { afterEach, describe, expect, it, vi } from "vitest";

import { RunEvent } from "../../protocol/run-result.ts";
import type { RunLine } from "../../protocol/sandbox-api.ts";
import {
  bearer,
  call,
  consoleLine,
  endless,
  executorResult,
  linesOf,
  newKey,
  playExecutors,
  postRun,
  problemOf,
  setOverrides,
  textOf,
} from "./support.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

const SSE = { headers: { Accept: "text/event-stream" } };
const NDJSON = { headers: { Accept: "application/x-ndjson" } };
const SCRIPT = { language: "typescript", code: "export default 1" };

const STARTED: RunLine = { event: { type: "started", queueMs: 1 } };
const said = (text: string): RunLine => ({ event: { type: "console", line: consoleLine(text) } });
const END: RunLine = { end: executorResult({ valueJson: '{"a": 1.0}' }) };

describe("as NDJSON", () => {
  it("a run's events come numbered without gaps, the result last", async () => {
    const { key } = await newKey();
    const seen = playExecutors(linesOf(STARTED, said("one"), said("two"), END));

    const response = await postRun(key, SCRIPT, NDJSON);

    expect(response.headers.get("Content-Type")).toBe("application/x-ndjson; charset=utf-8");
    const text = await textOf(response);
    const events = text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => RunEvent.parse(JSON.parse(line)));
    expect(events).toMatchObject([
      { seq: 1, type: "started", runId: expect.stringMatching(/^run_/) },
      { seq: 2, type: "console", text: "one" },
      { seq: 3, type: "console", text: "two" },
      { seq: 4, type: "done", result: { outcome: "ok", value: { a: 1 } } },
    ]);
    expect(text).toContain('"value":{"a": 1.0},');
    expect(JSON.parse(seen[0]?.body.split("\n", 1)[0] ?? "")).toMatchObject({ stream: true });
  });

  it("a run that is lost says so as its last event", async () => {
    const { key } = await newKey();
    playExecutors(linesOf(STARTED));
    const lines = (await textOf(await postRun(key, SCRIPT, NDJSON))).trim().split("\n");
    expect(lines.map((line) => RunEvent.parse(JSON.parse(line)))).toMatchObject([
      { seq: 1, type: "started" },
      { seq: 2, type: "done", result: { outcome: "infra_lost", certainty: "unknown" } },
    ]);
  });
});

describe("as server-sent events", () => {
  it("each has its number as id and its type as event", async () => {
    const { key } = await newKey();
    playExecutors(linesOf(STARTED, said("one\ntwo"), END));
    const response = await postRun(key, SCRIPT, SSE);
    expect(response.headers.get("Content-Type")).toBe("text/event-stream; charset=utf-8");
    const events = (await response.text()).split("\n\n").filter((event) => event !== "");
    expect(events.map((event) => event.split("\n").map((line) => line.slice(0, 14)))).toEqual([
      ["id: 1", "event: started", 'data: {"seq":1'],
      ["id: 2", "event: console", 'data: {"seq":2'],
      ["id: 3", "event: done", 'data: {"seq":3'],
    ]);
  });

  it("what keeps a run from starting is a status, not an event", async () => {
    const { key } = await newKey();
    playExecutors(linesOf({ unlinkable: { specifier: "npm:x", importer: "main.ts" } }));
    expect(await problemOf(await postRun(key, SCRIPT, SSE))).toMatchObject({ status: 501 });
  });
});

describe("a client that leaves", () => {
  it.each([
    ["a stream of events", SSE, [STARTED]],
    ["a stream before its first event", NDJSON, []],
    ["a JSON answer", {}, []],
  ] as const)("of %s takes its run with it, and its place is free", async (_, options, lines) => {
    const { tenant, key } = await newKey();
    await setOverrides(tenant, { maxConcurrent: 1 });
    const { answer, wasAbandoned } = endless(...lines);
    playExecutors(answer, linesOf(END));

    const response = await postRun(key, SCRIPT, options);
    expect(response.status).toBe(200);
    await response.body?.cancel();

    await vi.waitUntil(wasAbandoned, { timeout: 5_000 });
    expect(
      (
        await vi.waitUntil(async () => {
          const next = await postRun(key);
          return next.status === 200 && next;
        })
      ).status,
    ).toBe(200);
  });
});

it("a long JSON answer begins with blanks and is still JSON", async () => {
  const { key } = await newKey();
  let isOver = false;
  playExecutors(() => {
    const body = new ReadableStream<Uint8Array>({
      async start(controller) {
        await vi.waitUntil(() => isOver, 5_000);
        controller.enqueue(new TextEncoder().encode(`${JSON.stringify(END)}\n`));
        controller.close();
      },
    });
    return new Response(body);
  });

  const response = await postRun(key);
  const reader = response.body?.getReader();
  const first = await reader?.read();
  expect(new TextDecoder().decode(first?.value)).toMatch(/^ +$/);
  isOver = true;
  let text = "";
  for (;;) {
    const { done, value } = (await reader?.read()) ?? { done: true, value: undefined };
    if (done) break;
    text += new TextDecoder().decode(value);
  }
  expect(JSON.parse(text)).toMatchObject({ outcome: "ok", value: { a: 1 } });
});

it("a stream is as limited as any run", async () => {
  const { tenant, key } = await newKey();
  await setOverrides(tenant, { quota: { runsPerDay: 0 } });
  expect(await problemOf(await postRun(key, SCRIPT, SSE))).toMatchObject({
    code: "quota_exceeded",
  });
  const usage = await call("/v1/usage", { headers: bearer(key) });
  expect(await usage.json()).toMatchObject({ usage: [] });
});
