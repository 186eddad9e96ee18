import { describe, expect, it } from "vitest";

import { configOf, readConfig } from "../../gateway/config.ts";

const needed = {
  KEY_SIGNING_SECRET: `a:${"k".repeat(32)}`,
  EXECUTOR_SECRET: `a:${"e".repeat(32)}`,
  ADMIN_TOKEN: "t".repeat(32),
  SANDBOX_URLS: "http://127.0.0.1:1",
};

const complaintOf = (variables: object): string => {
  try {
    readConfig(variables);
  } catch (error) {
    if (error instanceof TypeError) return error.message;
  }
  throw new Error("the configuration was read");
};

describe("readConfig()", () => {
  it("has a default for everything but secrets and addresses", () => {
    expect(readConfig(needed)).toMatchObject({
      rateLimit: { requests: 600, windowS: 60, burst: 100 },
      tenantMaxConcurrent: 32,
      executorTimeoutMs: 300_000,
      failOpen: false,
      quota: { runsPerDay: undefined, cpuMsPerDay: undefined },
      isolate: {
        limits: { wallMs: { default: 5_000, maximum: 5_000, maximumSetBy: "ISOLATE_WALL_MS" } },
      },
    });
  });

  it("knows how jobs wait without being told", () => {
    expect(readConfig(needed)).toMatchObject({
      queue: {
        timeoutMs: 300_000,
        maxPerTenant: 1_000,
        retentionMs: 604_800_000,
        retentionMax: 10_000,
        slots: { container: 2, isolate: 16 },
        adaptive: false,
      },
      containerUrls: [],
    });
  });

  it("takes each variable of the queue", () => {
    const { queue, containerUrls } = readConfig({
      ...needed,
      QUEUE_TIMEOUT_MS: "1000",
      QUEUE_MAX_PER_TENANT: "7",
      JOB_RETENTION_MS: "60000",
      JOB_RETENTION_MAX: "5",
      MAX_CONCURRENT_CONTAINERS: "0",
      MAX_CONCURRENT_ISOLATE_JOBS: "3",
      ADAPTIVE_CONCURRENCY: "true",
      CONTAINER_URLS: "http://a:1/,http://b:2",
    });
    expect(queue).toEqual({
      timeoutMs: 1_000,
      maxPerTenant: 7,
      retentionMs: 60_000,
      retentionMax: 5,
      slots: { container: 0, isolate: 3 },
      adaptive: true,
    });
    expect(containerUrls).toEqual(["http://a:1", "http://b:2"]);
  });

  it("reads how webhooks leave; without a secret, none does", () => {
    expect(readConfig({ ...needed, WEBHOOK_SECRET: "" })).toMatchObject({
      jobEventsMaxBytes: 33_554_432,
      webhooks: { secrets: [], timeoutMs: 10_000, allowPrivateHosts: [] },
      egressProxyUrl: undefined,
    });
    const secret = "w".repeat(32);
    const set = {
      JOB_EVENTS_MAX_BYTES: "65536",
      WEBHOOK_SECRET: `b:${secret}`,
      WEBHOOK_TIMEOUT_MS: "500",
      WEBHOOK_ALLOW_PRIVATE_HOSTS: "127.0.0.1:9000, hooks.test",
      EGRESS_PROXY_URL: "http://127.0.0.1:9/",
    };
    expect(readConfig({ ...needed, ...set })).toMatchObject({
      jobEventsMaxBytes: 65_536,
      webhooks: {
        secrets: [{ id: "b", secret }],
        timeoutMs: 500,
        allowPrivateHosts: ["127.0.0.1:9000", "hooks.test"],
      },
      egressProxyUrl: "http://127.0.0.1:9",
    });
  });

  it("takes numbers as numbers, too", () => {
    expect(readConfig({ ...needed, LEASE_MS: 50_000 }).leaseMs).toBe(50_000);
  });

  it("takes a maximum apart from the default", () => {
    const { limits } = readConfig({ ...needed, ISOLATE_CPU_MS_MAX: "2000" }).isolate;
    expect(limits.cpuMs).toEqual({
      default: 1_000,
      maximum: 2_000,
      setBy: "ISOLATE_CPU_MS",
      maximumSetBy: "ISOLATE_CPU_MS_MAX",
    });
  });

  it("reads Docker's limits as Docker writes them", () => {
    const { limits } = readConfig({
      ...needed,
      DOCKER_CPU_LIMIT: "0.5",
      DOCKER_MEMORY_LIMIT: "512m",
      DOCKER_MEMORY_LIMIT_MAX: "8G",
    }).container;
    expect(limits).toMatchObject({
      cpus: { default: 0.5, maximum: 0.5 },
      memoryMb: { default: 512, maximum: 8_192, maximumSetBy: "DOCKER_MEMORY_LIMIT_MAX" },
      pids: { default: 1_000 },
      cpuMs: { default: null, maximum: null },
    });
  });

  it("takes an empty Docker limit for none", () => {
    const { limits } = readConfig({ ...needed, DOCKER_PIDS_LIMIT: "" }).container;
    expect(limits.pids).toMatchObject({ default: null, maximum: null });
  });

  it.each([
    ["none", []],
    ["", []],
    ["*.example.com, a.example:443", ["*.example.com", "a.example:443"]],
    ["*", ["*"]],
  ])("reads CONTAINER_NETWORK %j as %j", (CONTAINER_NETWORK, network) => {
    expect(readConfig({ ...needed, CONTAINER_NETWORK }).container.network).toEqual(network);
  });

  it("takes several sandbox-workers, without the slash at the end", () => {
    const SANDBOX_URLS = "http://a:1/, https://b/x/";
    expect(readConfig({ ...needed, SANDBOX_URLS }).sandboxUrls).toEqual([
      "http://a:1",
      "https://b/x",
    ]);
  });

  it.each([
    ["RATE_LIMIT_REQUESTS", "many", "must be a whole number"],
    ["RATE_LIMIT_REQUESTS", "", "must be a whole number"],
    ["RATE_LIMIT_REQUESTS", "0", "must be at least 1"],
    ["RATE_LIMIT_WINDOW_S", "1e3", "must be a whole number"],
    ["TENANT_MAX_CONCURRENT", "-1", "must be a whole number"],
    ["ISOLATE_MEMORY_MB", "15", "must be at least 16"],
    ["ISOLATE_WALL_MS", "9", "must be at least 10"],
    ["ISOLATE_WALL_MS_MAX", "4999", "must be at least ISOLATE_WALL_MS"],
    ["QUOTA_RUNS_PER_DAY", "none", "must be a whole number"],
    ["ISOLATION_MODES", "run,all", 'each must be "run", "tenant" or "warm"'],
    ["ISOLATION_MODES", "", "must name at least one mode"],
    ["SANDBOX_URLS", "", "must name at least one sandbox-worker"],
    ["SANDBOX_URLS", "ftp://x", "must be a URL with http or https"],
    ["CONTAINER_URLS", "unix:///x", "must be a URL with http or https"],
    ["MAX_CONCURRENT_CONTAINERS", "", "must be a whole number"],
    ["MAX_CONCURRENT_ISOLATE_JOBS", "-1", "must be a whole number"],
    ["ADAPTIVE_CONCURRENCY", "1", 'must be "true" or "false"'],
    ["QUEUE_TIMEOUT_MS", "0", "must be at least 1"],
    ["QUEUE_MAX_PER_TENANT", "0", "must be at least 1"],
    ["JOB_RETENTION_MS", "1", "must be at least 1000"],
    ["JOB_RETENTION_MAX", "0", "must be at least 1"],
    ["JOB_EVENTS_MAX_BYTES", "65535", "must be at least 65536"],
    ["WEBHOOK_SECRET", "a:short", 'secret "a" must have at least 32 characters'],
    ["WEBHOOK_TIMEOUT_MS", "99", "must be at least 100"],
    ["EGRESS_PROXY_URL", "proxy:1", "must be a URL with http or https"],
    ["POLICY_FAIL_OPEN", "yes", 'must be "true" or "false"'],
    ["CORS_ORIGINS", "https://a.example/path", "each must be an origin"],
    ["LOG_REQUESTS", "1", 'must be "on" or "off"'],
    ["JWKS_URL", "https://id.example/keys", "is set"],
    ["KEY_SIGNING_SECRET", undefined, "is missing"],
    ["KEY_SIGNING_SECRET", "short", "each id must be one lower-case letter"],
    ["EXECUTOR_SECRET", "a:short", 'secret "a" must have at least 32 characters'],
    ["ADMIN_TOKEN", "short", "must have at least 32 characters"],
    [
      "RATE_LIMIT_WEIGHT_BROWSER",
      "101",
      "RATE_LIMIT_BURST must be at least RATE_LIMIT_WEIGHT_BROWSER",
    ],
  ])("names %s when it is %j, and why", (variable, value, why) => {
    const complaint = complaintOf({ ...needed, [variable]: value });
    expect(complaint).toContain(variable);
    expect(complaint).toContain(why);
  });

  it("names every unreadable variable at once, and no value", () => {
    const complaint = complaintOf({
      ...needed,
      LEASE_MS: "secret-one",
      BODY_MAX_BYTES: "secret-two",
      ADMIN_TOKEN: "secret-three",
      KEY_SIGNING_SECRET: "secret-four",
    });
    expect(complaint).toMatch(/LEASE_MS.*BODY_MAX_BYTES.*KEY_SIGNING_SECRET.*ADMIN_TOKEN/);
    expect(complaint).not.toContain("secret-");
  });
});

it("configOf() reads one set of bindings once", () => {
  expect(configOf(needed)).toBe(configOf(needed));
});
