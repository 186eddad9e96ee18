import { describe, expect, it } from "vitest";

import { readConfig } from "../../../sandbox-worker/config.ts";

const machine = { cores: 4, memoryBytes: 8 * 2 ** 30, openFiles: 65_536 };
const secrets = { EXECUTOR_SECRET: `b:${"x".repeat(32)},a:${"y".repeat(32)}` };
const read = (env: Readonly<Record<string, string>> = {}) =>
  readConfig({ ...secrets, ...env }, machine);

describe("readConfig()", () => {
  it("has a default for everything but the secret", () => {
    expect(read()).toMatchObject({
      host: "127.0.0.1",
      bodyMaxBytes: 8 * 1024 * 1024,
      drainTimeoutMs: 30_000,
      pool: { spares: 8, cores: 4, queueMax: 256, queuePerTenant: 128, queueMs: 10_000 },
      allowReduced: false,
      allowPrivateHosts: [],
    });
    expect(read().secrets.map(({ id }) => id)).toEqual(["b", "a"]);
  });

  it.each([
    ["memory", {}, 24],
    ["little memory", { memoryBytes: 2 ** 29 }, 2],
    ["more memory than is of use", { memoryBytes: 2 ** 40 }, 64],
    ["few open files", { openFiles: 256 }, 21],
  ])("allows cages by the machine's %s", (_name, part, maxCages) => {
    expect(readConfig(secrets, { ...machine, ...part }).pool.maxCages).toBe(maxCages);
  });

  it("keeps spares within the number of cages", () => {
    expect(read({ SANDBOX_MAX_CAGES: "3" }).pool.spares).toBe(3);
  });

  it("takes an empty variable for one that is not set", () => {
    expect(read({ SANDBOX_QUEUE_MAX: "", PORT: "" }).pool.queueMax).toBe(256);
  });

  it("reads lists and switches", () => {
    const config = read({
      EGRESS_ALLOW_PRIVATE_HOSTS: "localhost:8080,db",
      SANDBOX_ALLOW_REDUCED: "true",
    });

    expect(config.allowPrivateHosts).toEqual(["localhost:8080", "db"]);
    expect(config.allowReduced).toBe(true);
  });

  it.each([
    ["under", "0"],
    ["over", "1000000000000"],
    ["no number", "many"],
  ])("refuses a number that is %s its range, by name", (_name, value) => {
    expect(() => read({ SANDBOX_QUEUE_MAX: value })).toThrow(/SANDBOX_QUEUE_MAX/);
  });

  it("names every variable that is wrong, and no secret's text", () => {
    const env = { EXECUTOR_SECRET: "a:tooshort", PORT: "-1", CAGE_IDLE_MS: "soon" };
    const wrong = (): unknown => readConfig(env, machine);

    expect(wrong).toThrow(/PORT.*CAGE_IDLE_MS.*EXECUTOR_SECRET/);
    expect(wrong).not.toThrow(/tooshort/);
    expect(() => readConfig({}, machine)).toThrow(/EXECUTOR_SECRET: must be set/);
  });
});
