import { describe, expect, test } from "vitest";

import { programs } from "./program.ts";

const { run, answer, value } = programs();

describe("TypeScript", () => {
  test.each([
    {
      name: "enums, their reverse mapping, const enums and computed members",
      code: `
        enum Color { Red = 1, Green, Blue = Green << 2 }
        const enum Size { Small = "s", Large = "l" }
        enum Mixed { No, Yes = "yes", Length = "abc".length }
        export default () => [Color.Green, Color[1], Color.Blue, Size.Large, Mixed.Yes, Mixed.Length];`,
      gives: [2, "Red", 8, "l", "yes", 3],
    },
    {
      name: "namespaces, nested and merged with a function",
      code: `
        namespace Geometry {
          export const side = 3;
          export namespace Deep { export const twice = (n: number): number => n * 2; }
        }
        function area() { return area.unit; }
        namespace area { export const unit = "m2"; }
        export default () => [Geometry.Deep.twice(Geometry.side), area()];`,
      gives: [6, "m2"],
    },
    {
      name: "parameter properties, access modifiers and definite fields",
      code: `
        class Point {
          declare readonly note: string;
          protected late!: number;
          constructor(public readonly x: number, private y = 2, protected z?: number) { this.late = 1; }
          sum() { return this.x + this.y + (this.z ?? 0) + this.late; }
        }
        export default () => [new Point(1).sum(), Object.keys(new Point(1))];`,
      gives: [4, ["x", "y", "z", "late"]],
    },
    {
      name: "generics, overloads, guards, assertions and satisfies",
      code: `
        interface Named<T extends string = string> { readonly name: T }
        function pick(items: readonly Named[], name: string): Named | undefined;
        function pick(items: readonly Named[], name: number): Named;
        function pick(items: readonly Named[], name: string | number) {
          return typeof name === "number" ? items[name] : items.find((item) => item.name === name);
        }
        function isNamed(value: unknown): value is Named { return typeof (value as Named)?.name === "string"; }
        const items = [{ name: "a" }, { name: "b" }] as const satisfies readonly Named[];
        export default (input: unknown) => [pick(items, "b")!.name, pick(items, 0).name, isNamed(input)];`,
      input: { name: "c" },
      gives: ["b", "a", true],
    },
    {
      name: "abstract classes, implements, index signatures and mapped types",
      code: `
        abstract class Shape implements Iterable<number> {
          abstract area(): number;
          *[Symbol.iterator]() { yield this.area(); }
        }
        class Square extends Shape { #side = 4; override area() { return this.#side ** 2; } }
        type Flags<T> = { [K in keyof T]?: boolean };
        const flags: Flags<{ a: number }> & { [key: string]: boolean | undefined } = { a: true };
        export default () => [...new Square(), flags["a"]];`,
      gives: [16, true],
    },
    {
      name: "using declarations",
      code: `
        const log: string[] = [];
        function open(name: string) { log.push("open " + name); return { [Symbol.dispose]() { log.push("close " + name); } }; }
        export default () => { { using a = open("a"); using b = open("b"); } return log; };`,
      gives: ["open a", "open b", "close b", "close a"],
    },
    {
      name: "type-only imports of modules that are not there",
      code: `
        import type { Nothing } from "./nothing.ts";
        import { type AlsoNothing, made } from "./made.ts";
        export default (input: Nothing & AlsoNothing) => made;`,
      modules: { "made.ts": "export type AlsoNothing = 1; export const made = 'here';" },
      gives: "here",
    },
    {
      name: "types that do not match, for they are not checked",
      code: `const n: number = "text"; export default (): number => n as unknown as number;`,
      gives: "text",
    },
    {
      name: "what JavaScript of this year has",
      code: `
        const grouped = Object.groupBy([1, 2, 3], (n) => (n % 2 ? "odd" : "even"));
        const { promise, resolve } = Promise.withResolvers<number>();
        resolve(7);
        export default async () => [grouped, await promise, [3, 1, 2].toSorted(), "a-b".replaceAll("-", "+"),
          new Set([1, 2]).union(new Set([3])).size, [1, 2].values().map((n) => n * 2).toArray(), 1_000 ?? 0];`,
      gives: [{ odd: [1, 3], even: [2] }, 7, [1, 2, 3], "a+b", 3, [2, 4], 1000],
    },
  ])("has $name", async ({ gives, ...program }) => {
    expect(value(await run(program))).toEqual(gives);
  });

  test("is not what plain JavaScript is read as", async () => {
    const result = await run({
      language: "javascript",
      code: "const n: number = 1;\nexport default () => n;",
    });
    expect(result).toMatchObject({
      outcome: "failed",
      started: false,
      error: { name: "SyntaxError", stack: expect.stringContaining("main.js:1") as string },
    });
  });

  test("and plain JavaScript give the same", async () => {
    const code = "export default ({ a, b }) => a + b;";
    const input = { a: 1, b: 2 };
    expect(value(await run({ language: "javascript", code, input }))).toBe(3);
    expect(value(await run({ language: "typescript", code, input }))).toBe(3);
  });
});

describe("modules", () => {
  test.each([
    {
      name: "import each other by relative paths, up and down",
      code: `import { a } from "./lib/a.ts"; export default () => a;`,
      modules: {
        "lib/a.ts": `import { b } from "../b.ts"; import { c } from "./deep/c.ts"; export const a = b + c;`,
        "b.ts": "export const b = 1;",
        "lib/deep/c.ts": `export { b as c } from "../../b.ts";`,
      },
      gives: 2,
    },
    {
      name: "import JSON, with and without the attribute",
      code: `
        import data from "./data.json" with { type: "json" };
        import same from "./data.json";
        import deep from "./lib/deep.json";
        export default () => [data.list[1], same === data, deep];`,
      modules: { "data.json": `{"list": [1, 2]}`, "lib/deep.json": `"text"` },
      gives: [2, true, "text"],
    },
    {
      name: "await at the top, in order of import",
      code: `
        import { order } from "./order.ts";
        import "./slow.ts";
        import "./quick.ts";
        order.push("main");
        export default () => order;`,
      modules: {
        "order.ts": "export const order: string[] = [];",
        "slow.ts": `import { order } from "./order.ts"; await new Promise((done) => setTimeout(done, 20)); order.push("slow");`,
        "quick.ts": `import { order } from "./order.ts"; order.push("quick");`,
      },
      // Neither imports the other, so the quick one does not wait.
      gives: ["quick", "slow", "main"],
    },
    {
      name: "may import each other in a circle",
      code: `import { isEven } from "./even.ts"; export default () => [isEven(10), isEven(7)];`,
      modules: {
        "even.ts": `import { isOdd } from "./odd.ts"; export function isEven(n: number): boolean { return n === 0 || isOdd(n - 1); }`,
        "odd.ts": `import { isEven } from "./even.ts"; export function isOdd(n: number): boolean { return n !== 0 && isEven(n - 1); }`,
      },
      gives: [true, false],
    },
    {
      name: "run once, and share live bindings",
      code: `
        import { count, increment } from "./counter.ts";
        import * as same from "./counter.ts";
        increment(); increment();
        export default () => [count, same.count, Object.keys(same)];`,
      modules: {
        "counter.ts": "export let count = 0; export function increment() { count++; }",
      },
      gives: [2, 2, ["count", "increment"]],
    },
    {
      name: "re-export all, by name and by namespace",
      code: `import all, { one, two, space } from "./all.ts"; export default () => [all, one, two, space.two];`,
      modules: {
        "all.ts": `export * from "./one.ts"; export { two, two as default } from "./two.ts"; export * as space from "./two.ts";`,
        "one.ts": "export const one = 1;",
        "two.ts": "export const two = 2;",
      },
      gives: [2, 1, 2, 2],
    },
    {
      name: "may be JavaScript beside TypeScript",
      code: `import { plain } from "./plain.js"; export default () => plain;`,
      modules: { "plain.js": "export const plain = 'js';" },
      gives: "js",
    },
    {
      name: "may have names of any script",
      code: `import { grüße } from "./größe/ü 日本.ts"; export default () => grüße;`,
      modules: { "größe/ü 日本.ts": "export const grüße = 'hallo';" },
      gives: "hallo",
    },
  ])("$name", async ({ gives, ...program }) => {
    expect(value(await run(program))).toEqual(gives);
  });

  test.each([
    ["node:fs", "node:fs"],
    ["npm:lodash", "npm:lodash"],
    ["jsr:@std/async", "jsr:@std/async"],
    ["lodash", "lodash"],
    ["https://example.com/x.ts", "https://example.com/x.ts"],
    ["fs/promises", "fs/promises"],
  ])("%s cannot be linked, and nothing has run", async (specifier) => {
    const refused = await answer({
      code: `console.log("ran"); import "./lib/outside.ts"; export default () => 1;`,
      modules: { "lib/outside.ts": `import ${JSON.stringify(specifier)};` },
    });
    expect(refused).toEqual({ unlinkable: { specifier, importer: "lib/outside.ts" } });
  });

  test("a module that was not sent fails the run before it starts", async () => {
    const result = await run({ code: `import "./missing.ts"; export default () => 1;` });
    expect(result).toMatchObject({
      outcome: "failed",
      started: false,
      error: { message: expect.stringContaining("missing.ts") as string },
    });
  });

  test("a name that a module does not export fails the run", async () => {
    const result = await run({
      code: `import { missing } from "./lib.ts"; export default () => missing;`,
      modules: { "lib.ts": "export const there = 1;" },
    });
    expect(result).toMatchObject({
      outcome: "failed",
      error: { name: "SyntaxError", message: expect.stringContaining("missing") as string },
    });
  });

  test("a specifier of megabytes is not echoed whole", async () => {
    const refused = await answer({ code: `import "${"a".repeat(2e6)}";` });
    expect(JSON.stringify(refused).length).toBeLessThan(10_000);
  });

  test.each([500, 5000])("a chain of %i modules links, or is refused in words", async (length) => {
    const chain = Array.from({ length }, (_, i): [string, string] => [
      `m${i}.ts`,
      i === length - 1 ? "export const last = 1;" : `export { last } from "./m${i + 1}.ts";`,
    ]);
    const result = await run({
      code: `export { last as default } from "./m0.ts";`,
      modules: Object.fromEntries(chain),
    });
    expect([result.outcome, result.error?.message ?? ""]).toEqual([
      expect.stringMatching(/^(?:ok|failed)$/),
      expect.not.stringMatching(/stack|regular expression/i),
    ]);
  });

  test("JSON that cannot be parsed fails the run, and names its file", async () => {
    const result = await run({
      code: `import data from "./data.json"; export default () => data;`,
      modules: { "data.json": "{broken" },
    });
    expect(result).toMatchObject({ outcome: "failed", error: { name: "SyntaxError" } });
    expect(JSON.stringify(result)).toContain("data.json");
  });
});

describe("the default export", () => {
  test.each([
    { name: "a function", code: "export default function (input) { return input; }" },
    { name: "an async function", code: "export default async (input) => input;" },
    { name: "a named function", code: "export default function main(input) { return input; }" },
    {
      name: "an exported binding",
      code: "const main = (input) => input; export { main as default };",
    },
  ])("as $name is called with the input", async ({ code }) => {
    const input = { text: "ü", list: [1, null, true], deep: { "": "" } };
    expect(value(await run({ code, input }))).toEqual(input);
  });

  test.each([
    { name: "a number", code: "export default 42;", gives: 42 },
    { name: "null", code: "export default null;", gives: null },
    { name: "an object", code: "export default { a: [1] };", gives: { a: [1] } },
    {
      name: "an awaited value",
      code: "export default await Promise.resolve('late');",
      gives: "late",
    },
    { name: "a promise", code: "export default Promise.resolve('later');", gives: "later" },
    { name: "nothing", code: "export const other = 1;", gives: undefined },
  ])("as $name is the result itself", async ({ code, gives }) => {
    expect(value(await run({ code }))).toEqual(gives);
  });

  test("gets undefined for no input, and null for null", async () => {
    const code = "export default (input) => String(input);";
    expect(value(await run({ code }))).toBe("undefined");
    expect(value(await run({ code, input: null }))).toBe("null");
  });

  test("gets the run's id, its variables and a signal", async () => {
    const code = `export default (_input, ctx) => [ctx.runId, ctx.env.KEY, ctx.signal.aborted];`;
    const result = await run({ code, env: { KEY: "v" } });
    expect(value(result)).toEqual([result.runId, "v", false]);
  });

  test("with a fetch method is called with the request", async () => {
    const result = await run({
      code: `export default {
        async fetch(request: Request) {
          const url = new URL(request.url);
          return Response.json({
            method: request.method, path: url.pathname, q: url.searchParams.get("q"),
            header: request.headers.get("X-Key"), body: await request.text(),
          }, { status: 201, headers: { "x-answer": "yes" } });
        },
      };`,
      request: {
        method: "POST",
        url: "https://example.com/path?q=1",
        headers: { "x-key": "v" },
        body: "hällo",
      },
    });
    const response = value(result) as { status: number; body: string };
    expect(response).toMatchObject({ status: 201 });
    expect(JSON.stringify(response)).toContain("x-answer");
    expect(JSON.parse(response.body)).toEqual({
      method: "POST",
      path: "/path",
      q: "1",
      header: "v",
      body: "hällo",
    });
  });

  test("may be left out for Deno.serve", async () => {
    const result = await run({
      code: `Deno.serve((request) => new Response(request.method + " " + new URL(request.url).pathname));`,
      request: { method: "PUT", url: "http://localhost/a", headers: {}, body: null },
    });
    expect(value(result)).toMatchObject({ status: 200, body: "PUT /a" });
  });

  test("may be left out: the run ends when nothing is under way", async () => {
    const result = await run({
      code: `setTimeout(() => { console.log("late"); setTimeout(() => console.log("later"), 5); }, 5); console.log("now");`,
    });
    expect(result).toMatchObject({ outcome: "ok", stdout: "now\nlate\nlater\n" });
  });
});

describe("an error", () => {
  test("has its name, message and the positions of the TypeScript that was sent", async () => {
    const result = await run({
      code: [
        "type Input = { a: number };", // 1
        "interface More extends Input {}",
        "",
        "export default function main(input: More) {",
        "  return fails(input);", // 5
        "}",
        "",
        "function fails(input: Input): never {",
        "  throw new RangeError(`a is ${input.a}`);", // 9
        "}",
      ].join("\n"),
      input: { a: 1 },
    });
    expect(result).toMatchObject({
      outcome: "failed",
      started: true,
      valueJson: null,
      error: { name: "RangeError", message: "a is 1" },
    });
    const lines = result.error!.stack!.split("\n");
    expect(lines[0]).toBe("RangeError: a is 1");
    expect(lines[1]).toMatch(/^ {4}at fails \(.*main\.ts:9:9\)$/);
    expect(lines[2]).toMatch(/^ {4}at main \(.*main\.ts:5:10\)$/);
    expect(lines).toHaveLength(3);
  });

  test("has the positions of the module that threw, after enums and types have moved its lines", async () => {
    const result = await run({
      code: `import { deep } from "./lib/deep.ts";\nexport default () => deep();`,
      modules: {
        "lib/deep.ts": [
          "enum Level { One, Two }",
          "interface Long {",
          "  a: string;",
          "}",
          "export class Thing { constructor(private level: Level, readonly long?: Long) {} get() { return this.level; } }",
          "export function deep() {",
          "  if (new Thing(Level.Two).get() === Level.Two)",
          "    throw new Error('deep');", // 8
          "}",
        ].join("\n"),
      },
    });
    expect(result.error?.stack).toMatch(/at deep \(.*lib\/deep\.ts:8:11\)/);
    expect(result.error?.stack).toMatch(/main\.ts:2:22/);
  });

  test("of syntax names the file, the line and the column", async () => {
    const result = await run({
      code: `import "./lib/bad.ts"; export default 1;`,
      modules: { "lib/bad.ts": "const a = 1;\nconst b = ;\n" },
    });
    expect(result).toMatchObject({
      outcome: "failed",
      started: false,
      error: { name: "SyntaxError" },
    });
    expect(result.error?.stack).toContain("lib/bad.ts:2:11");
  });

  test.each([
    {
      name: "a text",
      code: `throw "plain";`,
      error: { name: "Error", message: `Uncaught "plain"` },
    },
    { name: "null", code: "throw null;", error: { message: "Uncaught null" } },
    { name: "undefined", code: "throw undefined;", error: { message: "Uncaught undefined" } },
    { name: "a number", code: "throw 7;", error: { message: "Uncaught 7" } },
    { name: "a symbol", code: "throw Symbol('s');", error: { message: "Uncaught Symbol(s)" } },
    {
      name: "an object",
      code: "throw { code: 5 };",
      error: { message: expect.stringContaining("code") as string },
    },
    {
      name: "an error of the program's own class",
      code: "class MyError extends Error { name = 'MyError' } throw new MyError('mine');",
      error: { name: "MyError", message: "mine" },
    },
    {
      name: "a DOMException",
      code: "structuredClone(() => {});",
      error: { name: "DataCloneError" },
    },
    {
      name: "an error with a cause",
      code: "throw new Error('outer', { cause: new TypeError('inner') });",
      error: { stack: expect.stringMatching(/outer[^]*Caused by: TypeError: inner/) as string },
    },
    {
      name: "an AggregateError",
      code: "throw new AggregateError([new Error('one'), new Error('two')], 'both');",
      error: { message: "both", stack: expect.stringMatching(/one[^]*two/) as string },
    },
    {
      name: "a message far too long",
      code: "throw new Error('x'.repeat(1e6));",
      error: { message: expect.stringMatching(/^x{1000,4000}…?$/) as string },
    },
  ])("may be $name", async ({ code, error }) => {
    const result = await run({ code: `export default () => { ${code} };` });
    expect(result).toMatchObject({ outcome: "failed", error });
  });

  test.each([
    [
      "rejected from the function",
      "export default async () => { await null; throw new Error('late'); };",
    ],
    [
      "thrown by a timer",
      "export default () => new Promise(() => setTimeout(() => { throw new Error('late'); }, 1));",
    ],
    ["thrown at the top", "throw new Error('late'); export default 1;"],
    ["thrown at the top of another module", `import "./lib.ts"; export default 1;`],
    ["thrown after an await at the top", "await null; throw new Error('late');"],
    ["thrown in a fetch handler", "export default { fetch() { throw new Error('late'); } };"],
    [
      "thrown by a getter of the result",
      "export default () => ({ get a() { throw new Error('late'); } });",
    ],
    [
      "thrown by toJSON of the result",
      "export default () => ({ toJSON() { throw new Error('late'); } });",
    ],
    [
      "reported",
      "export default () => { reportError(new Error('late')); return new Promise(() => {}); };",
    ],
  ])("%s fails the run", async (_name, code) => {
    const result = await run({ code, modules: { "lib.ts": "throw new Error('late');" } });
    expect(result).toMatchObject({ outcome: "failed", error: { name: "Error", message: "late" } });
  });

  test("shows nothing of the host in any of its frames", async () => {
    const stacks: string[] = [];
    for (const code of [
      "export default () => { throw new Error('x'); };",
      "export default () => JSON.parse('{');",
      "export default () => new URL('nothing');",
      "export default () => crypto.subtle.digest('none', new Uint8Array(1));",
      "export default () => fetch('http://127.0.0.1/');",
      "export default () => [1].map(() => { null.x; });",
      "export default () => new Response('x').json();",
      "export default () => { let s; console.log({ get a() { s = new Error().stack; return 1; } }, new Proxy({}, { get() { s = new Error().stack; } })); throw Object.assign(new Error('y'), { stack: s }); };",
      "import './nothing.ts';",
      "const a = ;",
    ]) {
      const result = await run({ code });
      expect(result.outcome).toBe("failed");
      stacks.push(JSON.stringify(result.error), result.stdout);
    }
    expect(stacks.join("\n")).not.toMatch(
      /node:|node_modules|sandbox-worker|isolated-vm|bulkhead:|\/(?:work|root|home|tmp|opt|app)\//,
    );
  });
});
