import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { isUsable } from "../../scripts/bootstrap.mjs";
import { isCurrent, isSatisfied, stampFor } from "../../scripts/dependencies.mjs";

const packages = (entries: object) => JSON.stringify({ packages: { "": {}, ...entries } });
const zod4 = packages({ "node_modules/zod": { version: "4.0.0" } });
const zod5 = packages({ "node_modules/zod": { version: "5.0.0" } });

function newRoot(lockfile: string): string {
  const root = mkdtempSync(join(tmpdir(), "dependencies-"));
  mkdirSync(join(root, "node_modules"));
  writeFileSync(join(root, "package-lock.json"), lockfile);
  return root;
}

describe("isCurrent()", () => {
  it("goes by the stamp of the lockfile", () => {
    const root = newRoot(zod4);
    expect(isCurrent(root)).toBe(false);

    writeFileSync(join(root, "node_modules/.bulkhead-stamp"), stampFor(zod4));
    expect(isCurrent(root)).toBe(true);

    writeFileSync(join(root, "package-lock.json"), zod5);
    expect(isCurrent(root)).toBe(false);
  });

  it("accepts an installation made by hand, and stamps it", () => {
    const root = newRoot(zod4);
    writeFileSync(join(root, "node_modules/.package-lock.json"), zod4);

    expect(isCurrent(root)).toBe(true);
    expect(readFileSync(join(root, "node_modules/.bulkhead-stamp"), "utf8")).toBe(stampFor(zod4));
  });
});

describe("isSatisfied()", () => {
  it("misses a package of another version", () => {
    expect(isSatisfied(zod5, zod4)).toBe(false);
    expect(isSatisfied(zod4, packages({}))).toBe(false);
  });

  it("does not miss another system's optional package", () => {
    const lockfile = packages({ "node_modules/fsevents": { version: "1.0.0", optional: true } });
    expect(isSatisfied(lockfile, packages({}))).toBe(true);
  });
});

describe("isUsable()", () => {
  const prebuilds = ["isolated-vm.abi137.glibc.node", "isolated-vm.abi147.glibc.node"];

  it.each([
    ["24.21.0", "137", true],
    ["26.0.0", "147", true],
    ["25.1.0", "141", false],
    ["20.20.2", "115", false],
  ])("Node %s with ABI %s: %s", (version, abi, usable) => {
    expect(isUsable(version, abi, prebuilds)).toBe(usable);
  });
});
