import { describe, expect, it } from "vitest";

import {
  importPosition,
  moduleUrl,
  positionAt,
  resolveSpecifier,
} from "../../../sandbox-worker/cage/specifier.ts";

const modules = { "main.ts": "", "lib/a.ts": "", "lib/deep/b.ts": "", "d.json": "", "ä b.ts": "" };

describe("resolveSpecifier", () => {
  it.each([
    ["./lib/a.ts", "main.ts", "lib/a.ts"],
    ["../a.ts", "lib/deep/b.ts", "lib/a.ts"],
    ["../../main.ts", "lib/deep/b.ts", "main.ts"],
    ["/d.json", "lib/deep/b.ts", "d.json"],
    ["file:///lib/a.ts", "main.ts", "lib/a.ts"],
    ["./lib/../d.json", "main.ts", "d.json"],
    ["../../../main.ts", "lib/a.ts", "main.ts"],
    ["./ä b.ts", "main.ts", "ä b.ts"],
    ["./%C3%A4%20b.ts", "main.ts", "ä b.ts"],
  ])("finds %s from %s", (specifier, importer, path) => {
    expect(resolveSpecifier(specifier, importer, modules)).toEqual({ kind: "module", path });
  });

  it.each([
    "node:fs",
    "npm:lodash",
    "jsr:@std/path",
    "https://x.test/a.ts",
    "lodash",
    "#a",
    "data:text/javascript,1",
  ])("leaves %s to another lane", (specifier) => {
    expect(resolveSpecifier(specifier, "main.ts", modules)).toEqual({ kind: "foreign" });
  });

  it.each([
    ["./lib/a", "./lib/a.ts"],
    ["./lib/a.js", "./lib/a.ts"],
    ["./d", "./d.json"],
    ["./nothing.ts", null],
    ["./lib/a.ts?x=1", null],
    ["./__proto__", null],
    ["./constructor", null],
  ])("guesses nothing for %s, but says what is near", (specifier, near) => {
    expect(resolveSpecifier(specifier, "main.ts", modules)).toMatchObject({
      kind: "missing",
      near,
    });
  });
});

describe("moduleUrl", () => {
  it("has no character that would end a place in a stack", () => {
    expect(moduleUrl("a b/(c).ts")).toBe("file:///a%20b/%28c%29.ts");
  });
});

describe("importPosition", () => {
  it("finds the import, not another text that is the same", () => {
    const source = 'const a = "./b.ts";\n\nimport { b } from "./b.ts";';
    expect(importPosition(source, "./b.ts")).toEqual({ line: 3, column: 19 });
  });

  it("says the beginning where it finds none", () => {
    expect(importPosition("", "./b.ts")).toEqual({ line: 1, column: 1 });
  });
});

describe("positionAt", () => {
  it("counts lines and columns from one", () => {
    expect(positionAt("ab\ncd", 0)).toEqual({ line: 1, column: 1 });
    expect(positionAt("ab\ncd", 2)).toEqual({ line: 1, column: 3 });
    expect(positionAt("ab\ncd", 4)).toEqual({ line: 2, column: 2 });
  });
});
