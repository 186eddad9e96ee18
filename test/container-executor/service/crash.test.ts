import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, expect, test } from "vitest";

import type { ContainerEvent } from "../../../protocol/container-api.ts";
import { dockerHost } from "../../../scripts/setup/docker-api.ts";
import {
  allOf,
  bytesOf,
  newRunId,
  order,
  startContainerService,
} from "../../support/container-service.ts";
import type { ContainerService } from "../../support/container-service.ts";
import { containersOf } from "../../support/engine-containers.ts";
import { joinEngine } from "../../support/engine.ts";
import type { TestEngine } from "../../support/engine.ts";
import { until } from "../../support/sandbox-service.ts";

let engine: TestEngine;
let service: ContainerService;

beforeAll(async () => {
  engine = await joinEngine();
}, 60_000);

afterAll(async () => {
  await engine.leave();
});

async function withService(
  test: (env: { readonly DOCKER_HOST: string }) => Promise<void>,
): Promise<void> {
  const env = { DOCKER_HOST: dockerHost(engine.endpoint) };
  service = await startContainerService(env);
  try {
    await test(env);
  } finally {
    await service.stop();
    await containersOf(engine.endpoint, service.stateFolder).remove();
    service.removeState();
  }
}

async function restarted(env: { readonly DOCKER_HOST: string }): Promise<void> {
  service = await startContainerService(env, service.stateFolder);
}

const COUNTING = "for i in $(seq 1 40); do echo line $i; sleep 0.1; done; cat; echo end >&2";
const COUNTED = Array.from({ length: 40 }, (_, i) => `line ${i + 1}\n`).join("");

test("a run goes on over a kill -9 of the executor, and the next start loses none of its output", async () => {
  await withService(async (env) => {
    const body = order({ code: COUNTING, stdin: "from stdin\n" });
    expect((await service.put(body)).status).toBe(201);
    const before: ContainerEvent[] = [];
    for await (const event of service.events(body.runId)) {
      before.push(event);
      if (event.type === "stdout" && event.offset > 50) break;
    }
    service.signal("SIGKILL");
    await service.exited;
    await restarted(env);
    expect(service.logged).toContainEqual(
      expect.objectContaining({ event: "run.adopted", runId: body.runId }),
    );
    const last = before.at(-1)!.seq;
    const after = await allOf(service.events(body.runId, last));
    const all = [...before, ...after];
    expect(all.map(({ seq }) => seq)).toEqual(all.map((_, index) => index + 1));
    expect(bytesOf(all, "stdout").toString()).toBe(`${COUNTED}from stdin\n`);
    expect(bytesOf(all, "stderr").toString()).toBe("end\n");
    expect(all.at(-1)).toMatchObject({ type: "end", result: { outcome: "ok", exitCode: 0 } });
  });
}, 60_000);

test("a run that ended while the executor was away is told by the next start, with its files", async () => {
  await withService(async (env) => {
    const code = "echo begun; sleep 1; echo kept > out.txt; echo over";
    const body = order({ code, artifacts: ["*.txt"] });
    await service.put(body);
    for await (const event of service.events(body.runId)) if (event.type === "stdout") break;
    service.signal("SIGKILL");
    await service.exited;
    const left = containersOf(engine.endpoint, service.stateFolder);
    await until(async () => (await left.pids("sleep")).length === 0);
    await restarted(env);
    const told = await allOf(service.events(body.runId));
    expect(bytesOf(told, "stdout").toString()).toBe("begun\nover\n");
    expect(told.at(-1)).toMatchObject({
      type: "end",
      result: { outcome: "ok", artifacts: [{ path: "out.txt", bytes: 5, kind: "file" }] },
    });
    const file = await service.send("GET", `/v1/runs/${body.runId}/artifacts/out.txt`);
    expect(await file.text()).toBe("kept\n");
  });
}, 60_000);

test("a result stands over a kill -9, and an acknowledged run's id never runs again", async () => {
  await withService(async (env) => {
    const body = order({ code: "echo once" });
    await service.put(body);
    const told = await allOf(service.events(body.runId));
    service.signal("SIGKILL");
    await service.exited;
    await restarted(env);
    expect(await allOf(service.events(body.runId))).toEqual(told);
    expect((await service.send("POST", `/v1/runs/${body.runId}/ack`)).status).toBe(200);
    expect((await service.send("GET", `/v1/runs/${body.runId}`)).status).toBe(404);
    expect((await service.put(body)).status).toBe(200);
    service.signal("SIGKILL");
    await service.exited;
    await restarted(env);
    expect((await service.put(body)).status).toBe(200);
    expect((await service.send("GET", `/v1/runs/${body.runId}`)).status).toBe(404);
  });
}, 60_000);

test("spares of an earlier life are removed, and containers of others left alone", async () => {
  await withService(async (env) => {
    const around = containersOf(engine.endpoint, service.stateFolder);
    await until(async () => (await around.ids()).length === 3);
    const earlier = await around.ids();
    const foreign = await around.addForeign();
    try {
      service.signal("SIGKILL");
      await service.exited;
      await restarted(env);
      await until(async () => {
        const now = await around.ids();
        return now.length === 3 && now.every((id) => !earlier.includes(id));
      });
      expect(await foreign.exists()).toBe(true);
    } finally {
      await foreign.remove();
    }
  });
}, 60_000);

test("a run whose container vanished with the executor is told as lost", async () => {
  await withService(async (env) => {
    const body = order({ runId: newRunId(), code: "echo begun; sleep 60" });
    await service.put(body);
    for await (const event of service.events(body.runId)) if (event.type === "stdout") break;
    service.signal("SIGKILL");
    await service.exited;
    await containersOf(engine.endpoint, service.stateFolder).remove();
    await restarted(env);
    const told = await allOf(service.events(body.runId));
    expect(told.at(-1)).toMatchObject({ type: "end", result: { outcome: "infra_lost" } });
  });
}, 60_000);

test("SIGTERM finishes what ends in time and leaves the rest for the next start", async () => {
  await withService(async (env) => {
    const short = order({ code: "sleep 0.5; echo short" });
    const long = order({ code: "echo begun; sleep 4; echo long" });
    await service.put(short);
    await service.put(long);
    for await (const event of service.events(long.runId)) if (event.type === "stdout") break;
    service.signal("SIGTERM");
    const readiness = await until(async () => {
      const now = await service.readiness();
      return now.draining ? now : undefined;
    });
    expect(readiness).toMatchObject({ ready: false, reason: "draining" });
    const refused = await service.put(order());
    expect(refused.status).toBe(503);
    expect(refused.headers.get("Bulkhead-Refusal")).toBe("draining");
    expect(await service.exited).toBe(0);
    await restarted(env);
    const status = await service.status(short.runId);
    expect(status).toMatchObject({ state: "ended", outcome: "ok" });
    const told = await allOf(service.events(long.runId));
    expect(bytesOf(told, "stdout").toString()).toBe("begun\nlong\n");
    expect(told.at(-1)).toMatchObject({ type: "end", result: { outcome: "ok" } });
  });
}, 60_000);

test("a connection to the engine that breaks mid-run loses nothing", async () => {
  const folder = mkdtempSync(join(tmpdir(), "bulkhead-engine-"));
  const path = join(folder, "docker.sock");
  const { endpoint } = engine;
  const connections = new Set<Socket>();
  const between = createServer((client) => {
    const upstream =
      endpoint.kind === "socket"
        ? connect(endpoint.socketPath)
        : connect(endpoint.port, endpoint.host);
    for (const socket of [client, upstream]) {
      connections.add(socket);
      socket.on("error", () => {});
      socket.once("close", () => connections.delete(socket));
    }
    client.pipe(upstream).pipe(client);
  });
  await new Promise<void>((resolve) => between.listen(path, resolve));
  try {
    service = await startContainerService({ DOCKER_HOST: `unix://${path}` });
    const body = order({ code: COUNTING, stdin: "in\n" });
    await service.put(body);
    const told: ContainerEvent[] = [];
    for await (const event of service.events(body.runId)) {
      told.push(event);
      if (event.type === "stdout" && event.data.includes("line 5\n")) {
        for (const socket of connections) socket.destroy();
      }
    }
    expect(bytesOf(told, "stdout").toString()).toBe(`${COUNTED}in\n`);
    expect(told.at(-1)).toMatchObject({ type: "end", result: { outcome: "ok" } });
  } finally {
    await service.stop();
    await containersOf(endpoint, service.stateFolder).remove();
    service.removeState();
    between.close();
    rmSync(folder, { recursive: true });
  }
}, 60_000);
