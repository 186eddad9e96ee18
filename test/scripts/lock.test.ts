import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, it } from "vitest";

import { withLock } from "../../scripts/lock.mjs";

const newLock = () => join(mkdtempSync(join(tmpdir(), "lock-")), "a.lock");

it("lets one holder in at a time", async () => {
  const path = newLock();
  const seen: string[] = [];
  const hold = (name: string) =>
    withLock(path, async () => {
      seen.push(`${name} in`);
      await new Promise((resolve) => setTimeout(resolve, 20));
      seen.push(`${name} out`);
    });

  await Promise.all([hold("a"), hold("b")]);

  expect([
    ["a in", "a out", "b in", "b out"],
    ["b in", "b out", "a in", "a out"],
  ]).toContainEqual(seen);
  expect(existsSync(path)).toBe(false);
});

it("is not blocked by what a dead process left", async () => {
  const path = newLock();
  const { pid } = spawnSync("true");
  writeFileSync(path, JSON.stringify({ pid, startTime: "1" }));

  expect(await withLock(path, () => "in")).toBe("in");
});

it("is not blocked by a file that names nobody", async () => {
  const path = newLock();
  writeFileSync(path, "");

  expect(await withLock(path, () => "in")).toBe("in");
});

it("is free again after work that threw", async () => {
  const path = newLock();
  const fails = () => {
    throw new Error("no");
  };

  await expect(withLock(path, fails)).rejects.toThrow("no");
  expect(await withLock(path, () => "in")).toBe("in");
});
