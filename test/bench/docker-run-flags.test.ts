import { describe, expect, test } from "vitest";

import { dockerRunFlags } from "../../bench/container/docker-run-flags.ts";
import { plainContainer } from "../../bench/container/program.ts";

/** The values that follow a flag, wherever it stands. */
const valuesOf = (flags: readonly string[], flag: string): readonly (string | undefined)[] =>
  flags.flatMap((text, at) => (text === flag ? [flags[at + 1]] : []));

describe("the flags of a plain docker run", () => {
  const { HostConfig = {} } = plainContainer("runc");
  const flags = dockerRunFlags(plainContainer("runc"));

  test("bound what the executor's own containers are bound by", () => {
    expect(valuesOf(flags, "--memory")).toEqual([String(HostConfig.Memory)]);
    expect(valuesOf(flags, "--memory-swap")).toEqual([String(HostConfig.MemorySwap)]);
    expect(valuesOf(flags, "--cpus")).toEqual(["1"]);
    expect(valuesOf(flags, "--pids-limit")).toEqual(["1000"]);
    expect(valuesOf(flags, "--tmpfs").map((mount) => mount?.split(":")[0])).toEqual(
      Object.keys(HostConfig.Tmpfs as Record<string, string>),
    );
    expect(valuesOf(flags, "--ulimit")).toContain("nofile=1024:1024");
  });

  test("confine as they are confined", () => {
    expect(flags).toContain("--read-only");
    expect(valuesOf(flags, "--network")).toEqual(["none"]);
    expect(valuesOf(flags, "--cap-drop")).toEqual(["ALL"]);
    expect(valuesOf(flags, "--security-opt")).toEqual(["no-new-privileges"]);
    expect(valuesOf(flags, "--user")).toEqual(["65534:65534"]);
    expect(valuesOf(flags, "--log-driver")).toEqual(["none"]);
  });

  test("name the runtime where it is not the engine's own", () => {
    expect(valuesOf(flags, "--runtime")).toEqual([]);
    expect(valuesOf(dockerRunFlags(plainContainer("runsc")), "--runtime")).toEqual(["runsc"]);
  });

  test("are refused for a setting that they cannot say", () => {
    expect(() => dockerRunFlags({ HostConfig: { Devices: [] } })).toThrow('"Devices"');
  });
});
