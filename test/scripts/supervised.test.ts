import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { afterEach, describe, expect, it } from "vitest";

import { identify, isAlive } from "../../scripts/process-identity.mjs";
import { takePort } from "../../scripts/stack/ports.ts";
import { type ServiceSpec, Supervised } from "../../scripts/stack/supervised.ts";

const folder = mkdtempSync(join(tmpdir(), "supervised-"));
const started: Supervised[] = [];

/** A service that is a shell script, ready as soon as its log says so. */
function supervise(script: string, over: Partial<ServiceSpec> = {}): Supervised {
  const log = join(folder, `${started.length}.log`);
  const spec: ServiceSpec = {
    name: "shell",
    log,
    drainMs: 1_000,
    launch: (fd) => spawn("sh", ["-c", script], { stdio: ["ignore", fd, fd] }),
    whenReady: async (child, onServing) => {
      while (!readFileSync(log, "utf8").includes(`up ${child.pid}`)) await sleep(5);
      onServing(child.pid!);
    },
    ...over,
  };
  const service = new Supervised(spec, () => {});
  started.push(service);
  return service;
}

afterEach(async () => {
  await Promise.all(started.map((service) => service.stop()));
});

describe("a supervised service", () => {
  it("is started again when it is killed", async () => {
    const service = supervise('echo "up $$"; exec sleep 60');
    await service.start();
    const first = service.servingPid!;

    process.kill(first, "SIGKILL");

    await expect.poll(() => service.servingPid, { timeout: 2_000 }).not.toBeOneOf([first, null]);
  });

  it("may finish what it runs when it is stopped", async () => {
    const done = join(folder, "done");
    const service = supervise(
      `trap 'sleep 0.2; echo x > ${done}; exit' TERM; echo "up $$"; sleep 60 & wait`,
    );
    await service.start();
    const identity = identify(service.servingPid!)!;

    await service.stop();

    expect(isAlive(identity)).toBe(false);
    expect(readFileSync(done, "utf8")).toBe("x\n");
    rmSync(done);
  });

  it("is killed when it does not stop in time, and stays stopped", async () => {
    const service = supervise('trap "" TERM; echo "up $$"; while :; do sleep 1; done', {
      drainMs: 100,
    });
    await service.start();
    const identity = identify(service.servingPid!)!;

    await service.stop();
    await sleep(200);

    expect(isAlive(identity)).toBe(false);
    expect(service.servingPid).toBeNull();
  });

  it("says how its log ends when it does not come up", async () => {
    const service = supervise("echo Cannot read LIMIT; exit 7");

    await expect(service.start()).rejects.toThrow(
      "Cannot start shell: it ended with 7\nCannot read LIMIT",
    );
  });
});

it("takePort() refuses a port that is taken", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };

  await expect(takePort(port)).rejects.toThrow(`Cannot use port ${port}`);
  server.close();
});
