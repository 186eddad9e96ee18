import { describe, expect, it } from "vitest";

import { type Config, readConfig } from "../../../gateway/config.ts";
import {
  effectiveLimits,
  resolveLimits,
  resolveNet,
  TENANT_OVERRIDE,
} from "../../../gateway/request/limits.ts";
import {
  CONTAINER_LIMITS,
  type ContainerLimitValues,
  ISOLATE_LIMITS,
  type IsolateLimitValues,
} from "../../../protocol/limits.ts";
import { TenantOverrides } from "../../../protocol/tenant.ts";

const needed = {
  KEY_SIGNING_SECRET: `a:${"k".repeat(32)}`,
  EXECUTOR_SECRET: `a:${"e".repeat(32)}`,
  ADMIN_TOKEN: "t".repeat(32),
  SANDBOX_URLS: "http://127.0.0.1:1",
};

const config = readConfig({
  ...needed,
  ISOLATE_WALL_MS_MAX: "30000",
  ISOLATE_CPU_MS_MAX: "10000",
  ISOLATE_MEMORY_MB_MAX: "256",
  ISOLATE_OUTPUT_BYTES_MAX: "4194304",
  CONTAINER_WALL_MS_MAX: "14400000",
  CONTAINER_CPU_MS: "1000",
  CONTAINER_CPU_MS_MAX: "2000",
  DOCKER_MEMORY_LIMIT_MAX: "8g",
  CONTAINER_OUTPUT_BYTES_MAX: "67108864",
  DOCKER_CPU_LIMIT_MAX: "4",
  DOCKER_PIDS_LIMIT_MAX: "4000",
  CONTAINER_DISK_MB_MAX: "8192",
});

function resolve(lane: "isolate" | "container", asked: object, overrides: TenantOverrides = {}) {
  const { isolate, container } = TenantOverrides.parse(overrides);
  if (lane === "isolate") {
    const { limits } = config.isolate;
    const effective = effectiveLimits<IsolateLimitValues>(ISOLATE_LIMITS, limits, isolate?.limits);
    return resolveLimits<IsolateLimitValues>(ISOLATE_LIMITS, effective, asked);
  }
  const { limits } = config.container;
  return resolveContainer(limits, asked, container?.limits);
}

type ContainerOverrides = NonNullable<TenantOverrides["container"]>["limits"];

function resolveContainer(
  limits: Config["container"]["limits"],
  asked: object,
  own: ContainerOverrides,
) {
  const effective = effectiveLimits<ContainerLimitValues>(CONTAINER_LIMITS, limits, own);
  return resolveLimits<ContainerLimitValues>(CONTAINER_LIMITS, effective, asked);
}

const rows = [
  ...ISOLATE_LIMITS.map((spec) => ({
    lane: "isolate" as const,
    ...spec,
    ...config.isolate.limits[spec.name],
  })),
  ...CONTAINER_LIMITS.map((spec) => ({
    lane: "container" as const,
    ...spec,
    ...config.container.limits[spec.name],
  })),
];

describe.each(rows)("limits.$name of the $lane lane", (row) => {
  const { lane, name, variable, floor } = row;
  const usual = Number(row.default);
  const maximum = Number(row.maximum);
  const overridden = (limit: object): TenantOverrides => ({
    [lane]: { limits: { [name]: limit } },
  });

  it("is the variable's where nobody asks", () => {
    expect(resolve(lane, {})).toMatchObject({
      value: { [name]: { value: usual, setBy: variable } },
    });
  });

  it.each([floor, maximum])("may be asked to be %d", (value) => {
    expect(resolve(lane, { [name]: value })).toMatchObject({
      value: { [name]: { value, setBy: "request" } },
    });
  });

  it("is refused above its maximum, never clamped", () => {
    expect(resolve(lane, { [name]: maximum + 1 })).toEqual({
      ok: false,
      failure: {
        code: "limit_out_of_range",
        limit: `limits.${name}`,
        asked: maximum + 1,
        bound: "maximum",
        allowed: maximum,
        setBy: `${variable}_MAX`,
      },
    });
  });

  it("is refused below its floor", () => {
    const asked = floor / 2;
    expect(resolve(lane, { [name]: asked })).toMatchObject({
      failure: { code: "limit_out_of_range", asked, bound: "minimum", allowed: floor },
    });
  });

  it("is the tenant's override where it has one", () => {
    const own = { default: usual + 1, maximum: maximum + 10 };
    expect(resolve(lane, {}, overridden(own))).toMatchObject({
      value: { [name]: { value: own.default, setBy: TENANT_OVERRIDE } },
    });
    expect(resolve(lane, { [name]: own.maximum }, overridden(own)).ok).toBe(true);
    expect(resolve(lane, { [name]: own.maximum + 1 }, overridden(own))).toMatchObject({
      failure: { allowed: own.maximum, setBy: TENANT_OVERRIDE },
    });
  });

  it("follows a maximum that was set below its default", () => {
    expect(resolve(lane, {}, overridden({ maximum: floor }))).toMatchObject({
      value: { [name]: { value: floor, setBy: TENANT_OVERRIDE } },
    });
  });

  it("may be asked up to a default that was set above the maximum", () => {
    const value = maximum + 5;
    expect(resolve(lane, { [name]: value }, overridden({ default: value })).ok).toBe(true);
    expect(resolve(lane, { [name]: value + 1 }, overridden({ default: value }))).toMatchObject({
      failure: { allowed: value, setBy: TENANT_OVERRIDE },
    });
  });
});

describe("a limit that an operator removed", () => {
  const { limits } = readConfig({
    ...needed,
    DOCKER_CPU_LIMIT: "",
    DOCKER_CPU_LIMIT_MAX: "4",
    DOCKER_MEMORY_LIMIT: "",
    DOCKER_PIDS_LIMIT: "",
  }).container;
  const resolveWith = (asked: object, overrides: TenantOverrides = {}) =>
    resolveContainer(limits, asked, overrides.container?.limits);

  it("is none, whatever its maximum was", () => {
    expect(resolveWith({})).toMatchObject({
      value: {
        cpus: { value: null, setBy: "DOCKER_CPU_LIMIT" },
        memoryMb: { value: null, setBy: "DOCKER_MEMORY_LIMIT" },
        pids: { value: null, setBy: "DOCKER_PIDS_LIMIT" },
        cpuMs: { value: null, setBy: "CONTAINER_CPU_MS" },
        wallMs: { value: 300_000 },
      },
    });
  });

  it("may be asked for in any size that is not below its floor", () => {
    expect(resolveWith({ cpus: 64 })).toMatchObject({
      value: { cpus: { value: 64, setBy: "request" } },
    });
    expect(resolveWith({ memoryMb: 15 })).toMatchObject({ failure: { bound: "minimum" } });
  });

  it("is there again for a tenant whose overrides set it", () => {
    const overrides = { container: { limits: { cpus: { maximum: 2 } } } };
    expect(resolveWith({}, overrides)).toMatchObject({
      value: { cpus: { value: 2, setBy: TENANT_OVERRIDE } },
    });
    expect(resolveWith({ cpus: 2.5 }, overrides)).toMatchObject({ failure: { allowed: 2 } });
  });
});

it.each([
  [undefined, ["*"], true],
  [[], [], true],
  [[], ["a.example"], false],
  [["*.example.com"], ["api.example.com", "*.api.example.com", "api.example.com:8080"], true],
  [["*.example.com"], ["example.com"], false],
  [["a.example"], ["*"], false],
  [["a.example:443"], ["a.example"], false],
])("a tenant with %j may ask for %j: %s", (allowed, asked, may) => {
  expect(resolveNet(allowed, asked).ok).toBe(may);
});
