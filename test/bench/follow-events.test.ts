import { describe, expect, test } from "vitest";

import { checkFollowed, followEvents } from "../../bench/load/follow-events.ts";

async function* stream(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield new TextEncoder().encode(text);
}

const follow = (...texts: string[]) => followEvents(stream(...texts), performance.now());

const STARTED = '{"seq":1,"type":"started"}\n';
const DONE = '{"seq":4,"type":"done","result":{"outcome":"ok"}}\n';

describe("events that are followed", () => {
  test("give the whole output, wherever the stream is cut into pieces", async () => {
    const run = await follow(
      STARTED,
      '\n{"seq":2,"type":"stdout","da',
      'ta":"hel"}\n{"seq":3,"type":"stdout","data":"lo"}\n',
      DONE,
    );
    expect(run).toMatchObject({ stdout: "hello", outcome: "ok" });
    expect(checkFollowed(run, "hello").firstOutputMs).toBeGreaterThanOrEqual(0);
  });

  test("end with an executor's end as with a job's done", async () => {
    const run = await follow('{"seq":1,"type":"end","result":{"outcome":"failed"}}\n');
    expect(run.outcome).toBe("failed");
    expect(() => checkFollowed(run, "")).toThrow("failed");
  });

  test("are no run where they stop before their last", async () => {
    await expect(follow(STARTED)).rejects.toThrow("ended before");
  });

  test("are no measurement where the output is another", async () => {
    const run = await follow(DONE);
    expect(() => checkFollowed(run, "hello")).toThrow('output ""');
  });
});
