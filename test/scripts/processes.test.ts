import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { identify, isAlive, startTimeFromStat } from "../../scripts/process-identity.mjs";
import { ownerOf } from "../../scripts/stack/places.ts";
import {
  leftovers,
  liveSupervisor,
  readProcesses,
  removeLeftovers,
  writeProcesses,
} from "../../scripts/stack/processes.ts";

const newFolder = () => mkdtempSync(join(tmpdir(), "processes-"));
const stack = { name: "stack", pid: 1, startTime: "10" };
const gateway = { name: "gateway", pid: 2, startTime: "20" };
const records = [stack, gateway];

describe("leftovers()", () => {
  it("are none while the supervisor lives", () => {
    expect(leftovers(records, () => true)).toEqual([]);
    expect(liveSupervisor(records, () => true)).toEqual(stack);
  });

  it("are the other processes that still live once it is dead", () => {
    expect(leftovers(records, ({ pid }) => pid === 2)).toEqual([gateway]);
    expect(leftovers(records, () => false)).toEqual([]);
  });
});

describe("removeLeftovers()", () => {
  it("ends a recorded process, and leaves one that took over its pid alone", async () => {
    const path = join(newFolder(), "processes.json");
    const left = spawn("sleep", ["60"]);
    const other = spawn("sleep", ["60"]);
    const leftIdentity = identify(left.pid!)!;
    writeProcesses(path, [
      { name: "left", ...leftIdentity },
      { name: "other", pid: other.pid!, startTime: "1" },
    ]);

    expect(await removeLeftovers(path)).toEqual(["left"]);
    expect(isAlive(leftIdentity)).toBe(false);
    expect(identify(other.pid!)).not.toBeNull();
    expect(readProcesses(path)).toEqual([]);
    other.kill();
  });

  it("takes a file that was cut short for none", async () => {
    const path = join(newFolder(), "processes.json");
    writeFileSync(path, '[{"name":"gate');

    expect(await removeLeftovers(path)).toEqual([]);
  });
});

describe("startTimeFromStat()", () => {
  const rest = "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20";

  it("is not misled by a program's name", () => {
    expect(startTimeFromStat(`42 (a) b (c d) S ${rest}`)).toBe("4711");
  });

  it("counts a zombie as gone", () => {
    expect(startTimeFromStat(`42 (workerd) Z ${rest}`)).toBeNull();
  });

  it("reads the kernel's own line", () => {
    const line = readFileSync("/proc/self/stat", "utf8");
    expect(startTimeFromStat(line)).toBe(identify(process.pid)?.startTime);
  });
});

it("ownerOf() knows a temporary folder of a stack from anything else", () => {
  expect(ownerOf("bulkhead-12-345-aB3dEf")).toEqual({ pid: 12, startTime: "345" });
  expect(ownerOf("bulkhead-notes")).toBeNull();
  expect(ownerOf("x-bulkhead-12-345-aB3dEf")).toBeNull();
});
