import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, test } from "vitest";

import { readConfig } from "../../container-executor/config.ts";

const SECRET = { EXECUTOR_SECRET: `a:${"e".repeat(32)}` };

test("only the secret must be set", () => {
  const config = readConfig(SECRET);
  expect(config).toMatchObject({
    port: 8789,
    engine: { kind: "socket", path: "/var/run/docker.sock" },
    runtime: null,
    spareLimits: { cpus: 1, memoryMb: 2048, pids: 1000, diskMb: 1024 },
    network: [],
    allowedImages: [],
    maxConcurrent: 2,
    drainTimeoutMs: 30_000,
  });
  expect(config.ceilings).toMatchObject({ memoryMb: null, cpus: null, pids: null, diskMb: 8192 });
});

test("an empty engine limit removes it, any other empty variable is not set", () => {
  const config = readConfig({
    ...SECRET,
    DOCKER_CPU_LIMIT: "",
    DOCKER_MEMORY_LIMIT: "",
    DOCKER_PIDS_LIMIT: "",
    PORT: "",
  });
  expect(config.spareLimits).toMatchObject({ cpus: null, memoryMb: null, pids: null });
  expect(config.port).toBe(8789);
});

test.for([
  ["512m", 512],
  ["2g", 2048],
  ["1.5G", 1536],
  ["134217728", 128],
  ["131072k", 128],
] as const)("a size of %s is %i MB", ([text, megabytes]) => {
  expect(readConfig({ ...SECRET, DOCKER_MEMORY_LIMIT: text }).spareLimits.memoryMb).toBe(megabytes);
});

test.for([
  ["DOCKER_MEMORY_LIMIT", "2x"],
  ["DOCKER_MEMORY_LIMIT", "15m"],
  ["DOCKER_CPU_LIMIT", "0"],
  ["DOCKER_PIDS_LIMIT", "7"],
  ["DOCKER_HOST", "ssh://host"],
  ["CONTAINER_NETWORK", "http://host"],
  ["CONTAINER_WARN_CPU_PERCENT", "99"],
  ["MAX_CONCURRENT_CONTAINERS", "-1"],
] as const)("%s=%s stops the start, by its name", ([name, value]) => {
  expect(() => readConfig({ ...SECRET, [name]: value })).toThrow(name);
});

test("an engine elsewhere, with TLS and without", () => {
  const folder = mkdtempSync(join(tmpdir(), "bulkhead-certs-"));
  try {
    for (const name of ["ca", "cert", "key"]) writeFileSync(join(folder, `${name}.pem`), name);
    const tls = { DOCKER_TLS_VERIFY: "1", DOCKER_CERT_PATH: folder };
    expect(readConfig({ ...SECRET, ...tls, DOCKER_HOST: "tcp://engine" }).engine).toEqual({
      kind: "tcp",
      host: "engine",
      port: 2376,
      tls: { ca: "ca", cert: "cert", key: "key" },
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
  expect(readConfig({ ...SECRET, DOCKER_HOST: "tcp://engine:99" }).engine).toEqual({
    kind: "tcp",
    host: "engine",
    port: 99,
    tls: null,
  });
  expect(() => readConfig({ ...SECRET, DOCKER_TLS_VERIFY: "1", DOCKER_HOST: "tcp://e" })).toThrow(
    "DOCKER_CERT_PATH",
  );
});
