import { expect, test } from "vitest";

import { engineRuntimes } from "../../container-executor/lane.ts";

const info = (runtimes: readonly string[], defaultRuntime = "runc") => ({
  version: "1",
  runtimes,
  defaultRuntime,
});

test.for([
  ["the engine's own", info(["runc"]), null, ["namespaces", null, null]],
  ["gVisor", info(["runc", "runsc", "runsc-net"]), "runsc", ["gvisor", "runsc", "runsc-net"]],
  ["gVisor without a network", info(["runc", "runsc"]), "runsc", ["gvisor", "runsc", null]],
  ["gVisor by default", info(["runc", "runsc"], "runsc"), null, ["gvisor", null, null]],
] as const)("%s", ([, engine, asked, [isolation, alone, networked]]) => {
  expect(engineRuntimes(engine, asked)).toEqual({ isolation, alone, networked });
});

test("a runtime that the engine lacks is a problem, by its name", () => {
  expect(engineRuntimes(info(["runc"]), "runsc")).toMatchObject({
    problem: expect.stringContaining('"runsc"'),
  });
});
