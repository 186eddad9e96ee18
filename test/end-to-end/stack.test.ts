import { existsSync, statSync } from "node:fs";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { isAlive } from "../../scripts/process-identity.mjs";
import { readProcesses } from "../../scripts/stack/processes.ts";
import { proveLane } from "../../scripts/stack/prove.ts";
import { readStackFile } from "../../scripts/stack/stack-file.ts";
import { type Stack, startStack } from "../../scripts/stack/stack.ts";

const ROOT = join(import.meta.dirname, "../..");

/** Two seconds on a machine of its own; here the tests beside this one want the cores as well. */
const BACK_WITHIN_MS = 10_000;

let stack: Stack;

beforeAll(async () => {
  stack = await startStack({ root: ROOT });
});

afterAll(() => stack.stop());

const run = () => proveLane("isolate", stack.gateway, stack.key);
const recorded = (name: string) =>
  readProcesses(join(stack.folder, "processes.json")).find((record) => record.name === name)!;

describe("the local stack", () => {
  it("runs code through the gateway and the sandbox-worker", async () => {
    expect(await run()).toBeNull();
  });

  it("describes itself in a file for its owner alone", () => {
    const file = readStackFile(stack.stackFile);

    expect(statSync(stack.stackFile).mode & 0o777).toBe(0o600);
    expect(file).toMatchObject({
      gateway: stack.gateway,
      key: stack.key,
      lanes: { isolate: { ready: true }, browser: { ready: false }, container: { ready: false } },
      pids: { gateway: expect.any(Number), "sandbox-worker": expect.any(Number), dockerd: null },
    });
  });

  it.each([
    { what: "the gateway's runtime", service: "gateway", name: "gateway runtime" },
    { what: "the gateway's host", service: "gateway", name: "gateway" },
    { what: "sandbox-worker", service: "sandbox-worker", name: "sandbox-worker" },
  ] as const)("is back on the same port with the same keys when $what is killed", async (death) => {
    const before = readStackFile(stack.stackFile);

    process.kill(recorded(death.name).pid, "SIGKILL");

    await expect.poll(run, { timeout: BACK_WITHIN_MS, interval: 20 }).toBeNull();
    await expect
      .poll(() => readStackFile(stack.stackFile).pids[death.service], { timeout: BACK_WITHIN_MS })
      .not.toBeOneOf([before.pids[death.service], null]);
    expect(readStackFile(stack.stackFile)).toMatchObject({
      gateway: before.gateway,
      key: before.key,
    });
  });

  it("cannot be started twice in one folder", async () => {
    await expect(startStack({ root: ROOT, folder: stack.folder })).rejects.toThrow(
      `a stack runs in this folder already (pid ${process.pid})`,
    );
  });

  it("leaves nothing behind when it stops", async () => {
    const processes = readProcesses(join(stack.folder, "processes.json")).filter(
      ({ pid }) => pid !== process.pid,
    );
    expect(processes.filter(isAlive)).toHaveLength(4);

    await stack.stop();

    expect(processes.filter(isAlive)).toEqual([]);
    expect(existsSync(stack.folder)).toBe(false);
  });
});
