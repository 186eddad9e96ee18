import { describe, expect, test } from "vitest";

import { REFUSAL_HEADER } from "../../../protocol/sandbox-api.ts";
import { SIGNATURE_HEADER } from "../../../protocol/signature.ts";
import { allOf, bytesOf, newRunId, order } from "../../support/container-service.ts";
import type { OrderPart } from "../../support/container-service.ts";
import { sharedContainerService } from "../../support/shared-container-service.ts";

const { service, containers } = sharedContainerService({
  MAX_CONCURRENT_CONTAINERS: "2",
  ALLOWED_IMAGES: "debian:*,nobody/*",
});

describe("taking an order", () => {
  test("the same order again starts nothing, however often and at once", async () => {
    const body = order({ code: "echo $RANDOM; sleep 0.2" });
    const answers = await Promise.all(Array.from({ length: 5 }, () => service().put(body)));
    const statuses = answers.map(({ status }) => status);
    expect(statuses.toSorted((a, b) => a - b)).toEqual([200, 200, 200, 200, 201]);
    const told = await allOf(service().events(body.runId));
    expect(told.filter(({ type }) => type === "started")).toHaveLength(1);
    expect((await service().put(body)).status).toBe(200);
    expect(await allOf(service().events(body.runId))).toEqual(told);
  });

  test("above the most at once an order is refused as full, and taken when there is room", async () => {
    const sleeping = [order({ code: "sleep 60" }), order({ code: "sleep 60" })];
    for (const one of sleeping) expect((await service().put(one)).status).toBe(201);
    const third = order();
    const refused = await service().put(third);
    expect(refused.status).toBe(503);
    expect(refused.headers.get(REFUSAL_HEADER)).toBe("full");
    for (const { runId } of sleeping) await service().send("DELETE", `/v1/runs/${runId}`);
    expect((await service().put(third)).status).toBe(201);
    await allOf(service().events(third.runId));
  });

  test.for([
    ["another run's id", { ...order(), runId: newRunId() }],
    ["no runtime and no image", { ...order(), runtime: null }],
    ["a runtime and an image", { ...order(), image: "debian:bookworm-slim" }],
    ["an unknown field", { ...order(), privileged: true }],
    ["a wall time below the floor", { ...order(), caps: { ...order().caps, wallMs: 9 } }],
  ] as const)("an order with %s is malformed", async ([, body]) => {
    const response = await service().send("PUT", `/v1/runs/${newRunId()}`, JSON.stringify(body));
    expect(response.status).toBe(400);
  });

  test("nothing is known without a signature, and nothing of a run that never was", async () => {
    const unsigned = await fetch(`${service().url}/v1/runs/${newRunId()}`);
    expect(unsigned.status).toBe(401);
    const body = JSON.stringify(order());
    const forged = await fetch(`${service().url}/v1/runs/${newRunId()}`, {
      method: "PUT",
      headers: { [SIGNATURE_HEADER]: "v1 a 1 aaaaaaaaaaaaaaaa b 00" },
      body,
    });
    expect(forged.status).toBe(401);
    expect((await service().send("GET", `/v1/runs/${newRunId()}`)).status).toBe(404);
    expect((await service().send("POST", `/v1/runs/${newRunId()}/renew`)).status).toBe(404);
    expect((await service().send("DELETE", `/v1/runs/${newRunId()}`)).status).toBe(404);
  });
});

describe("following", () => {
  test("events come again from any number on, the same", async () => {
    const { events, runId } = await service().run({ code: "seq 1 3; echo err >&2" });
    for (const after of [0, 1, events.length - 1]) {
      expect(await allOf(service().events(runId, after))).toEqual(events.slice(after));
    }
    expect(await allOf(service().events(runId, events.length))).toEqual([]);
  });

  test("a log longer than what memory keeps of it is read whole", async () => {
    const { events } = await service().run({ code: "head -c 900000 /dev/urandom | base64 -w0" });
    expect(bytesOf(events, "stdout")).toHaveLength(1024 * 1024 + 64 * 1024);
  });

  test("an acknowledged run is gone with its files, a running one cannot be acknowledged", async () => {
    const body = order({ code: "sleep 60" });
    await service().put(body);
    const target = `/v1/runs/${body.runId}`;
    expect((await service().send("POST", `${target}/ack`)).status).toBe(409);
    expect((await service().send("POST", `${target}/renew`)).status).toBe(200);
    await service().send("DELETE", target);
    expect((await service().send("POST", `${target}/ack`)).status).toBe(200);
    expect((await service().send("GET", `${target}/events`)).status).toBe(404);
    expect((await service().put(body)).status).toBe(200);
  });
});

describe("cancel", () => {
  test("DELETE answers once nothing of the run lives, and how long that took", async () => {
    const body = order({ code: "echo begun; trap '' TERM; while :; do sleep 1234; done" });
    await service().put(body);
    for await (const event of service().events(body.runId)) if (event.type === "stdout") break;
    const answer = await service().send("DELETE", `/v1/runs/${body.runId}`);
    expect(await containers().pids("sleep")).toEqual([]);
    const status = (await answer.json()) as { outcome: string; killMs: number };
    expect(status).toMatchObject({ state: "ended", outcome: "cancelled" });
    expect(status.killMs).toBeGreaterThan(0);
    const again = await service().send("DELETE", `/v1/runs/${body.runId}`);
    expect(await again.json()).toEqual(status);
  });

  test("cancelled as it begins, a run has one end and no container", async () => {
    for (const diskMb of [64, 32]) {
      const body = order({ code: "echo side effect; sleep 60", caps: { diskMb } });
      await service().put(body);
      await service().send("DELETE", `/v1/runs/${body.runId}`);
      const told = await allOf(service().events(body.runId));
      expect(told.filter(({ type }) => type === "end")).toHaveLength(1);
      expect(told.at(-1)).toMatchObject({ result: { outcome: "cancelled" } });
    }
    expect(await containers().pids("sleep")).toEqual([]);
  });
});

describe("images of the tenant's choice", () => {
  test("an allowed one runs its shell script, with arguments, input and environment", async () => {
    const { result } = await service().run({
      image: "debian:bookworm-slim",
      code: 'cat; echo "$1 $WORD"; id -u; exit 4',
      args: ["one"],
      env: { WORD: "two" },
      stdin: "in\n",
    });
    expect(result).toMatchObject({ outcome: "failed", exitCode: 4 });
    expect(result.stdout).toBe("in\none two\n65534\n");
  });

  test("its limits hold without an init, too", async () => {
    const image = "debian:bookworm-slim";
    const spin = await service().run({ image, code: "while :; do :; done", caps: { cpuMs: 300 } });
    expect(spin.result.outcome).toBe("cpu_timeout");
    const late = await service().run({ image, code: "sleep 1234", caps: { wallMs: 300 } });
    expect(late.result.outcome).toBe("wall_timeout");
    expect(await containers().pids("sleep")).toEqual([]);
  });

  const refusals: readonly (readonly [string, OrderPart, string])[] = [
    ["one that is not allowed", { image: "alpine:3" }, "image_not_allowed"],
    ["one that is no reference", { image: "debian:-x y" }, "image_not_allowed"],
    ["one that is not here", { image: "nobody/nothing:1" }, "image_missing"],
    ["a network", { net: ["example.com"] }, "network_not_allowed"],
  ];
  test.for(refusals)("%s is refused at once", async ([, part, code]) => {
    const refused = await service().put(order(part));
    expect(refused.status).toBe(422);
    expect(await refused.json()).toMatchObject({ code });
  });

  test("files need a runtime", async () => {
    const refused = await service().put(
      order({ image: "debian:bookworm-slim", artifacts: ["**"] }),
    );
    expect(await refused.json()).toMatchObject({ code: "files_need_runtime" });
  });
});

test("the service says what it has", async () => {
  const readiness = await service().readiness();
  expect(readiness).toMatchObject({
    ready: true,
    draining: false,
    images: { bash: true, python: true, node: true },
  });
  expect(readiness.recommendedConcurrency).toBeGreaterThan(0);
  const runtimes = await (await fetch(`${service().url}/v1/runtimes`)).json();
  expect(runtimes).toMatchObject({
    runtimes: [
      { language: "bash", lane: "container", image: "bulkhead/bash:latest" },
      { language: "python" },
      { language: "node" },
      { language: "javascript" },
      { language: "typescript" },
    ],
  });
  const metrics = await (await fetch(`${service().url}/metrics`)).text();
  expect(metrics).toContain('bulkhead_container_runs_total{outcome="ok"}');
  expect(service().complaints()).toBe("");
});
