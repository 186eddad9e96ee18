import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { InitEvent } from "../../../container-executor/channel/init-channel.ts";
import { encodeFrame, IN } from "../../../container-executor/channel/init-frames.ts";
import { joinEngine, type TestEngine } from "../../support/engine.ts";
import { type EngineRuntime, InitContainer } from "./init-container.ts";

let engine: TestEngine;
beforeAll(async () => {
  engine = await joinEngine();
});
afterAll(() => engine.leave());

const RUNTIMES: readonly EngineRuntime[] = ["runc", "runsc"];
const KEPT_MAX = 1024 * 1024;

describe.each(RUNTIMES)("a channel to init under %s", (runtime) => {
  const start = () => InitContainer.start(engine.endpoint, runtime);

  it("holds the job back while nothing is acknowledged, and loses nothing", async () => {
    await using container = await start();
    let unacknowledged: InitEvent[] = [];
    let most = 0;
    const job = container.begin({ script: "seq 1 600000" }, (event) => {
      unacknowledged.push(event);
      most = Math.max(most, heldBytes(unacknowledged));
    });
    container.channel.endStdin();
    const acknowledgeAll = () => {
      const last = unacknowledged.at(-1);
      unacknowledged = [];
      if (last !== undefined) container.channel.ack(last.seq);
    };
    while (!job.events.some(({ type }) => type === "exit")) {
      // An answer comes after everything that init could send without an acknowledgement.
      await container.channel.stats();
      acknowledgeAll();
    }

    const lines = job.text("stdout").trimEnd().split("\n");
    expect(lines).toHaveLength(600_000);
    expect(lines.at(-1)).toBe("600000");
    expect(most).toBeLessThanOrEqual(KEPT_MAX);
  });

  it("tells again what was not acknowledged, however the connection broke", async () => {
    await using container = await start();
    const first = container.begin({ script: "seq 1 200000; echo end >&2; exit 4" }, () => {});
    container.channel.endStdin();
    await first.until(({ events }) => events.length >= 4);
    const acked = first.events[1]!;
    // The old executor died in the middle of a frame.
    container.stream.write(encodeFrame(IN.cancel, Buffer.alloc(4)).subarray(0, 7));
    container.channel.ack(acked.seq);
    const second = await container.reattach(acked.seq);
    const exit = await second.exit;

    expect(exit.end).toEqual({ kind: "exited", code: 4 });
    expect(second.events[0]!.seq).toBe(acked.seq + 1);
    expect(second.text("stderr")).toBe("end\n");
    const told = Buffer.concat([outputUpTo(first.events, acked.seq), second.bytes("stdout")]);
    expect(told.toString().trimEnd().split("\n")).toHaveLength(200_000);
  });

  it("goes on with standard input from what init received", async () => {
    await using container = await start();
    const input = Buffer.from("line\n".repeat(1000));
    const job = container.begin({ script: "read first; echo got $first; cat | wc -c" });
    await container.channel.writeStdin(input.subarray(0, 1500));
    await job.until(() => job.text("stdout").includes("got line"));
    const last = job.events.at(-1)!.seq;
    const again = await container.reattach(last);
    await container.channel.ready;
    expect(container.channel.stdinReceived).toBe(1500);
    await container.channel.writeStdin(input.subarray(container.channel.stdinReceived));
    container.channel.endStdin();
    await again.exit;

    expect(again.text("stdout").trim()).toBe("4995");
  });

  it("finds a job that ended while nobody listened, with its files", async () => {
    await using container = await start();
    const first = container.begin({ script: "echo kept > file; echo out" }, () => {});
    container.channel.endStdin();
    await first.exit;
    const again = await container.reattach(0);
    await again.exit;
    const { files } = await container.channel.listFiles();
    const parts: Buffer[] = [];
    for await (const part of container.channel.readFile(files[0]!.index)) parts.push(part);

    expect(again.events.map(({ type }) => type)).toEqual(["started", "output", "exit"]);
    expect(Buffer.concat(parts).toString()).toBe("kept\n");
  });
});

it("a channel says how it ended, and its requests fail then", async () => {
  await using container = await InitContainer.start(engine.endpoint, "runc");
  container.channel.bye();
  expect(await container.channel.closed).toEqual({ cause: "bye" });
  await expect(container.channel.stats()).rejects.toThrow("Cannot reach the container's init");
});

it("a channel tells of a container that dies", async () => {
  await using container = await InitContainer.start(engine.endpoint, "runc");
  await expect(container.channel.stats()).rejects.toThrow("the container has no job");
  // What is no job at all is refused by the end of init.
  container.stream.write(encodeFrame(IN.job, Buffer.alloc(3)));
  expect(await container.channel.closed).toMatchObject({ cause: "lost" });
});

function heldBytes(events: readonly InitEvent[]): number {
  return events.reduce((sum, event) => sum + (event.type === "output" ? event.bytes.length : 0), 0);
}

function outputUpTo(events: readonly InitEvent[], seq: number): Buffer {
  return Buffer.concat(
    events.map((event) =>
      event.type === "output" && event.seq <= seq ? event.bytes : Buffer.alloc(0),
    ),
  );
}
