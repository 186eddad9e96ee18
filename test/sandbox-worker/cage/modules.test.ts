import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { CageFixture, valueOf } from "./cage-process.ts";

const fixture = new CageFixture();
beforeAll(() => fixture.open());
afterAll(() => fixture.close());

describe("a run's modules", () => {
  it("import each other by relative path, and JSON", async () => {
    const end = await fixture.run(
      `import { a } from "./lib/a.ts";
       import data from "./data.json" with { type: "json" };
       export default [a, data, import.meta.url, import.meta.main];`,
      {
        modules: {
          "lib/a.ts": 'import { z } from "../z.js"; export const a: string = z + "!";',
          "z.js": "export const z = import.meta.url + import.meta.main;",
          "data.json": '{"list": [1]}',
        },
      },
    );
    expect(valueOf(end)).toEqual(["file:///z.jsfalse!", { list: [1] }, "file:///main.ts", true]);
  });

  it("may import each other in a cycle", async () => {
    const end = await fixture.run(
      'import { even } from "./even.ts"; export default (n: number) => even(n);',
      {
        input: 7,
        modules: {
          "even.ts":
            'import { odd } from "./odd.ts"; export const even = (n: number): boolean => n === 0 || odd(n - 1);',
          "odd.ts":
            'import { even } from "./even.ts"; export const odd = (n: number): boolean => n !== 0 && even(n - 1);',
        },
      },
    );
    expect(valueOf(end)).toBe(false);
  });

  it.each(["node:fs", "npm:lodash", "https://example.com/a.ts", "lodash"])(
    "that import %s are handed back before their first statement",
    async (specifier) => {
      const ended = await fixture.runToAnyEnd('console.log("ran"); import "./lib/deep.ts";', {
        modules: { "lib/deep.ts": `import ${JSON.stringify(specifier)};` },
      });
      expect(ended).toEqual({ how: "unlinkable", specifier, importer: "lib/deep.ts" });
    },
  );

  it.each([
    [
      "a file that is not there",
      'import { a } from "./lib/a";\na;',
      "TypeError",
      'Cannot find module "file:///lib/a"; did you mean "./lib/a.ts"? at file:///main.ts:1:19',
    ],
    [
      "a name that is not exported",
      '\nimport { b } from "./lib/a.ts"; export default b',
      "SyntaxError",
      "The requested module './lib/a.ts' does not provide an export named 'b' at file:///main.ts:2:19",
    ],
    [
      "TypeScript that is none",
      "\nconst a: number = ;",
      "SyntaxError",
      "Unexpected token at file:///main.ts:2:19",
    ],
    [
      "TypeScript that only V8 refuses",
      "interface A {}\n\nlet a = 1; let a = 2; export default a",
      "SyntaxError",
      expect.stringContaining(" at file:///main.ts:3:"),
    ],
    [
      "an extension that says nothing",
      'import "./style.css";',
      "TypeError",
      expect.stringContaining("style.css"),
    ],
    [
      "JSON that is none",
      'import "./broken.json";',
      "SyntaxError",
      expect.stringContaining("at file:///broken.json:1:1"),
    ],
  ])("fail with the place of %s", async (_what, code, name, message) => {
    const end = await fixture.run(code, {
      modules: { "lib/a.ts": "export const a = 1;", "style.css": "", "broken.json": "{" },
    });
    expect(end).toMatchObject({ outcome: "failed", started: false, error: { name, message } });
  });

  it("nested too deep fail in words", async () => {
    const code = `export default ${"(".repeat(2e5)}1${")".repeat(2e5)}`;
    const { outcome, error } = await fixture.run(code, { language: "javascript" });
    expect(outcome).toBe("failed");
    expect(error?.message).toContain("too deep at file:///main.js:1:1");
  });

  it("nested too deep for the compiler of TypeScript cost the cage, not more", async () => {
    const code = `export default ${"(".repeat(2e5)}1${")".repeat(2e5)}`;
    expect(await fixture.runToAnyEnd(code)).toMatchObject({ how: "death", signal: "SIGSEGV" });
    expect(valueOf(await fixture.run("export default 1"))).toBe(1);
  });

  it.each([1_000, 5_000])("in a chain of %i link, or are refused in words", async (length) => {
    const modules = Object.fromEntries(
      Array.from({ length }, (_, i) => [
        `m${i}.js`,
        i === length - 1 ? "export default 1;" : `export { default } from "./m${i + 1}.js";`,
      ]),
    );
    const { error } = await fixture.run('export { default } from "./m0.js";', { modules });
    expect(error?.message ?? "").not.toMatch(/stack/);
  });

  it("say no more of a foreign specifier than a name may be long", async () => {
    const ended = await fixture.runToAnyEnd(`import "${"a".repeat(1e6)}";`);
    expect(JSON.stringify(ended).length).toBeLessThan(1_000);
  });

  it("that throw fail the run, with positions of the TypeScript as sent", async () => {
    const code = `interface Long {
  a: string;
}
function fail(long: Long): never {
  throw new RangeError("too " + long.a);
}
export default () => {
  fail({ a: "long" });
};`;
    const { outcome, error } = await fixture.run(code);
    expect(outcome).toBe("failed");
    expect(error).toMatchObject({ name: "RangeError", message: "too long" });
    expect(error?.stack?.split("\n").slice(0, 3)).toEqual([
      "RangeError: too long",
      "    at fail (file:///main.ts:5:9)",
      "    at default (file:///main.ts:8:3)",
    ]);
  });

  it("fail at their top level, at once or later", async () => {
    const top = await fixture.run("const a: number = 1;\n\nthrow new TypeError(`top ${a}`);");
    expect(top.error?.stack).toBe("TypeError: top 1\n    at file:///main.ts:3:7");
    const late = await fixture.run(
      "await new Promise((done) => setTimeout(done, 1));\nthrow new Error('late');",
    );
    expect(late.error).toMatchObject({ message: "late" });
    expect(late.error?.stack).toContain("file:///main.ts:2:7");
    const text = await fixture.run("throw 'only text'");
    expect(text.outcome).toBe("failed");
    expect(text.error?.message).toContain("only text");
  });

  it("may have names of any script", async () => {
    const end = await fixture.run('import { a } from "./größe/日本 (1).ts"; export default a', {
      modules: { "größe/日本 (1).ts": "export const a = import.meta.url" },
    });
    expect(valueOf(end)).toBe("file:///gr%C3%B6%C3%9Fe/%E6%97%A5%E6%9C%AC%20%281%29.ts");
  });

  it("show the positions that were sent wherever a stack is seen", async () => {
    const code = `interface A { a: 1 }

const error: Error = new TypeError("bad");
console.error(error);
export default () => [
  new RangeError("far"),
];`;
    const end = await fixture.run(code);
    expect(end.stderr).toMatch(/^TypeError: bad\n {4}at .*main\.ts:3:22/);
    expect(end.encoding).toBe("tagged");
    expect(end.valueJson).toContain("main.ts:6:3");
  });

  it("keep nothing of the host in a stack", async () => {
    const { error } = await fixture.run("export default () => new URL('nonsense')");
    expect(error?.stack).not.toMatch(/cage|bulkhead|node_modules|isolated/);
  });
});
