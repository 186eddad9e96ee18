import { mkdtempSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { laneStates } from "../../scripts/stack/lanes.ts";
import { portFrom } from "../../scripts/stack/ports.ts";
import { restartDelayMs } from "../../scripts/stack/restart-delay.ts";
import { keepSecrets } from "../../scripts/stack/secrets.ts";
import { readStackFile, type StackFile, writeStackFile } from "../../scripts/stack/stack-file.ts";

const newFolder = () => mkdtempSync(join(tmpdir(), "stack-"));

const stack: StackFile = {
  gateway: "http://127.0.0.1:8787",
  dashboard: null,
  tenant: "demo",
  key: "bh_demo_k_m",
  adminToken: "t",
  lanes: laneStates({ isolate: true, container: true }, null),
  pids: { gateway: 1, "sandbox-worker": 2, "container-executor": null, dockerd: null },
};

describe("stack.json", () => {
  it("is read as it was written, by its owner alone, with no draft left", () => {
    const folder = newFolder();
    const path = join(folder, "stack.json");
    writeStackFile(path, stack);
    writeStackFile(path, stack);

    expect(readStackFile(path)).toEqual(stack);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder)).toEqual(["stack.json"]);
  });

  it("is refused when something else wrote it", () => {
    const path = join(newFolder(), "stack.json");
    writeFileSync(path, JSON.stringify({ ...stack, pids: { gateway: "1" } }));

    expect(() => readStackFile(path)).toThrow("pids");
  });
});

describe("laneStates()", () => {
  it("says why a lane is not ready", () => {
    const lanes = laneStates({ isolate: false, container: false }, null);
    expect(Object.values(lanes).every(({ ready, reason }) => !ready && reason !== "")).toBe(true);
  });

  it("repeats what the set-up found missing", () => {
    const missing = { ready: false, reason: "install it" } as const;
    const machine = {
      cages: missing,
      chromium: missing,
      engine: missing,
      baseImage: missing,
      runtimeImages: missing,
      cacheHome: "",
    };
    const lanes = laneStates({ isolate: true, container: false }, machine);
    expect(lanes.container.reason).toContain("install it");
    expect(lanes.browser.reason).toContain("install it");
  });
});

describe("keepSecrets()", () => {
  it("makes them once, for their owner alone", () => {
    const state = newFolder();
    const secrets = keepSecrets(state);

    expect(keepSecrets(state)).toEqual(secrets);
    expect(secrets.KEY_SIGNING_SECRET).toMatch(/^[a-z]:[0-9a-f]{64}$/);
    expect(statSync(join(state, "secrets.json")).mode & 0o777).toBe(0o600);
  });

  it("gives a webhook secret that was kept without an id the first one", () => {
    const state = newFolder();
    const secrets = keepSecrets(state);
    const bare = "f".repeat(64);
    writeFileSync(
      join(state, "secrets.json"),
      JSON.stringify({ ...secrets, WEBHOOK_SECRET: bare }),
    );

    expect(keepSecrets(state)).toEqual({ ...secrets, WEBHOOK_SECRET: `a:${bare}` });
  });
});

describe("restartDelayMs()", () => {
  it("is nothing for a first death, and bounded for a service that keeps dying", () => {
    expect(restartDelayMs([1_000], 1_000)).toBe(0);
    expect(restartDelayMs([900, 1_000], 1_000)).toBe(100);
    expect(restartDelayMs(Array<number>(100).fill(1_000), 1_000)).toBe(5_000);
  });

  it("forgets deaths of long ago", () => {
    expect(restartDelayMs([0, 1, 2, 100_000], 100_000)).toBe(0);
  });
});

describe("portFrom()", () => {
  it("reads a port, and takes an empty variable for none", () => {
    expect(portFrom("P", { P: "8787" })).toBe(8787);
    expect(portFrom("P", { P: "" })).toBeNull();
    expect(portFrom("P", {})).toBeNull();
  });

  it.each(["0", "70000", "http", "-1", "80.5"])("refuses %j and names the variable", (value) => {
    expect(() => portFrom("GATEWAY_PORT", { GATEWAY_PORT: value })).toThrow("GATEWAY_PORT");
  });
});
