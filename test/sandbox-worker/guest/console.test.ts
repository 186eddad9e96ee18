import { inspect } from "node:util";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { GuestHarness, valueOf } from "../../support/guest-harness.ts";

let guest: GuestHarness;
beforeAll(async () => {
  guest = await GuestHarness.open();
});
afterAll(() => guest.close());

const linesOf = async (code: string) => (await guest.run(`${code}; export default 1;`)).lines;
const textOf = async (code: string) => (await linesOf(code)).map(({ text }) => text).join("\n");

describe("console", () => {
  test("says at which level a line was written", async () => {
    const lines = await linesOf(
      `for (const level of ["debug", "log", "info", "warn", "error", "trace"]) console[level](level)`,
    );
    expect(lines.map(({ level }) => level)).toEqual([
      "debug",
      "log",
      "info",
      "warn",
      "error",
      "trace",
    ]);
  });

  test.each([
    [`"plain %s text"`, "plain %s text"],
    [`"%s is %d, not %i or %f", "x", 1.5, 2.5, "3.5"`, "x is 1.5, not 2 or 3.5"],
    [
      `"%o|%O|%j|%c|%%", [1], { a: 1 }, { b: 2 }, "color: red"`,
      `[ 1, [length]: 1 ]|{ a: 1 }|{"b":2}||%`,
    ],
    [`"a", 1, null, undefined, true, 5n, Symbol("s")`, "a 1 null undefined true 5n Symbol(s)"],
    [`"%s"`, "%s"],
    [`-0, [-0]`, "-0 [ -0 ]"],
    [``, ""],
    [`"%d", "x"`, "NaN"],
    [`new (class Point { x = 1; get y() { return 2; } })()`, "Point { x: 1 }"],
    [`{ a: { b: { c: { d: 1 } } } }`, "{ a: { b: { c: [Object] } } }"],
    [`[1, , 3], "x".repeat(3), ["it's"]`, `[ 1, <1 empty item>, 3 ] xxx [ "it's" ]`],
    [`new Map([["a", { b: 1 }]]), new Set([1])`, "Map(1) { 'a' => { b: 1 } } Set(1) { 1 }"],
    [
      `(() => { const a = { n: 1 }; a.self = a; return a; })()`,
      "<ref *1> { n: 1, self: [Circular *1] }",
    ],
    [
      `new Date(0), /x/g, () => {}, class A {}, async function f() {}`,
      "1970-01-01T00:00:00.000Z /x/g [Function (anonymous)] [class A] [AsyncFunction: f]",
    ],
    [
      `new Uint8Array([1, 2]), new ArrayBuffer(2)`,
      "Uint8Array(2) [ 1, 2 ] ArrayBuffer { [Uint8Contents]: <00 00>, [byteLength]: 2 }",
    ],
    [`{ get a() { return 1; }, set b(v) {} }`, "{ a: [Getter], b: [Setter] }"],
    [`Object.create(null)`, "[Object: null prototype] {}"],
  ])("writes %s as people expect", async (args, text) => {
    expect(await textOf(`console.log(${args})`)).toBe(text);
  });

  test.each([11, 23, 37, 51])(
    "writes values made at random (%i) as the inspector does",
    async (seed) => {
      const code = `
      let seed = ${seed};
      const random = (n) => (seed = (seed * 1103515245 + 12345) % 2147483648) % n;
      const strings = ["", "a", "it's", 'say "x"', "back\\\\slash", "line\\nbreak", "tick\`", "ünï", "\\u0007", "日本", "x".repeat(30), "%s", "a b", "\\u00a0", "\\u00ad", "😀"];
      const keys = ["a", "b1", "_c", "$d", "e-f", "ü", "7", "constructor", "__proto__", "length", "long_key_of_an_object"];
      const makeObject = (depth) => {
        const object = random(9) === 0 ? Object.create(null) : {};
        for (let i = random(8); i > 0; i--) {
          const value = make(depth + 1);
          Object.defineProperty(object, keys[random(keys.length)], { value, enumerable: random(30) > 0, configurable: true });
        }
        if (random(40) === 0) object[Symbol("s")] = 1;
        return object;
      };
      const make = (depth) => {
        switch (random(depth > 3 ? 8 : 13)) {
          case 0: return strings[random(strings.length)];
          case 1: return random(1e6) / 8;
          case 2: return -0;
          case 3: return null;
          case 4: return undefined;
          case 5: return 10n ** BigInt(random(20));
          case 6: return random(2) === 0;
          case 7: return random(9) === 0 ? () => {} : NaN;
          case 8: case 9: return Array.from({ length: random(9) }, () => make(depth + 1));
          case 10: return random(3) === 0 ? [, 1] : Object.assign([1], random(4) === 0 ? { extra: 1 } : {});
          default: return makeObject(depth);
        }
      };
      const values = Array.from({ length: 4000 }, () => make(0)).filter((value) => typeof value !== "string");
      for (const value of values) console.log(value);
      export default values.map((value) => Deno.inspect(value));`;
      const { end, lines } = await guest.run(code, { boot: { resultBytes: 1 << 24 } });
      const inspected = valueOf(end) as string[];
      expect(inspected.length).toBeGreaterThan(3000);
      expect(lines.map(({ text }) => text)).toEqual(inspected);
    },
  );

  test("shows large values as Node does", async () => {
    const value = {
      list: Array.from({ length: 120 }, (_, i) => i),
      long: "y".repeat(200),
      nested: [{ name: "a", tags: ["x", "y"], at: { lat: 1.5, lon: 2.5 } }, null, [[]]],
    };
    expect(await textOf(`console.log(${JSON.stringify(value)})`)).toBe(inspect(value));
  });

  test("shows an error with the program's own frames only", async () => {
    const text = await textOf(
      `try { new URL("::"); } catch (error) { console.log(error); console.log({ error }); }`,
    );
    expect(text).toMatch(/^TypeError: Invalid URL: "::"\n {4}at .*main\.ts:1/);
    expect(text).not.toContain("bulkhead");
  });

  test.each([
    [`new URL("http://u@h/p")`, /^URL \{\n {2}href: 'http:\/\/u@h\/p',/],
    [`new Headers({ a: "b" })`, /^Headers \{ a: 'b' \}$/],
    [`new URLSearchParams("a=b")`, /^URLSearchParams \{ 'a' => 'b' \}$/],
    [`new Response("x", { status: 404 })`, /^Response \{\n {2}status: 404,/],
    [`new AbortController()`, /^AbortController \{ signal: AbortSignal \{ aborted: false \} \}$/],
    [`new DOMException("m", "AbortError")`, /^DOMException \[AbortError\]: m\n/],
    [
      `[new Blob(["abc"], { type: "text/plain" })]`,
      /^\[ Blob \{ size: 3, type: 'text\/plain' \} \]$/,
    ],
    [`{ a: { b: { c: new URL("http://h") } } }`, /\[URL\]/],
  ])("shows the runtime's own objects: %s", async (value, pattern) => {
    expect(await textOf(`console.log(${value})`)).toMatch(pattern);
  });

  test("draws tables", async () => {
    expect(await textOf(`console.table([{ a: 1, b: "x" }, { a: 2, c: [1] }, 5])`)).toBe(
      [
        "┌─────────┬───┬─────┬───────┬────────┐",
        "│ (index) │ a │ b   │ c     │ Values │",
        "├─────────┼───┼─────┼───────┼────────┤",
        "│ 0       │ 1 │ 'x' │       │        │",
        "│ 1       │ 2 │     │ [ 1 ] │        │",
        "│ 2       │   │     │       │ 5      │",
        "└─────────┴───┴─────┴───────┴────────┘",
      ].join("\n"),
    );
    expect(await textOf(`console.table({ r: { a: 1, b: 2 } }, ["b"])`)).toContain(
      "│ r       │ 2 │",
    );
    expect(await textOf(`console.table(new Map([["k", 1]]))`)).toContain(
      "│ 0                 │ 'k' │ 1      │",
    );
    expect(await textOf(`console.table("text")`)).toBe("text");
  });

  test("groups, counts, asserts", async () => {
    expect(
      await textOf(`console.group("g"); console.log("a\\nb"); console.groupCollapsed(); console.info("c"); console.groupEnd(); console.groupEnd(); console.log("d");
        console.count(); console.count("x"); console.count(); console.countReset(); console.count(); console.countReset("y");
        console.assert(true, "no"); console.assert(false); console.assert(0, "n is %d", 5); console.assert(0, { a: 1 })`),
    ).toBe(
      [
        "g",
        "  a",
        "  b",
        "    c",
        "d",
        "default: 1",
        "x: 1",
        "default: 2",
        "default: 1",
        "Count for 'y' does not exist",
        "Assertion failed",
        "Assertion failed: n is 5",
        "Assertion failed: { a: 1 }",
      ].join("\n"),
    );
  });

  test("measures time by a label", async () => {
    const lines = await linesOf(
      `console.time(); console.timeLog("default", "so", [1]); console.timeEnd(); console.timeEnd(); console.time("a"); console.time("a")`,
    );
    expect(lines.map(({ level, text }) => `${level} ${text.replace(/[\d.]+m?s/, "T")}`)).toEqual([
      "log default: T so [ 1 ]",
      "log default: T",
      "warn Timer 'default' does not exist",
      "warn Timer 'a' already exists",
    ]);
  });

  test("inspects by dir, and traces where it was called", async () => {
    expect(await textOf(`console.dir({ a: { b: { c: { d: 1 } } } }, { depth: 0 })`)).toBe(
      "{ a: [Object] }",
    );
    const [line] = await linesOf(`(function here() { console.trace("at %s", "x"); })()`);
    expect(line?.text).toMatch(/^Trace: at x\n {4}at here \(file:\/\/\/main\.ts:1:/);
    expect(line?.text).not.toContain("bulkhead");
  });

  test("has methods that work detached", async () => {
    expect(
      await textOf(
        `const { log, error } = console; log("a"); [1].forEach(console.warn); error("b")`,
      ),
    ).toBe("a\n1 0 [ 1 ]\nb");
  });

  test("runs a value's own code in the program, and its errors there, too", async () => {
    const body = `try { console.log({ [Symbol.for("nodejs.util.inspect.custom")]() { throw new RangeError("mine"); } }); } catch (error) { return error.message; }`;
    expect(await guest.returned(body)).toBe("mine");
  });
});
