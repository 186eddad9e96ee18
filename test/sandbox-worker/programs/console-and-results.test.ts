import { describe, expect, test } from "vitest";

import { DecodedFunction } from "../../../protocol/tagged-value.ts";
import { programs } from "./program.ts";

const { run, lines, value } = programs();

describe("the console", () => {
  test("keeps levels, their streams, their order and rising times", async () => {
    const result = await run({
      code: `for (const level of ["log", "error", "debug", "warn", "info", "trace"] as const) console[level](level);`,
    });
    expect(result.console.map(({ level, stream }) => [level, stream])).toEqual([
      ["log", "stdout"],
      ["error", "stderr"],
      ["debug", "stdout"],
      ["warn", "stderr"],
      ["info", "stdout"],
      ["trace", "stderr"],
    ]);
    expect(result.stdout).toBe("log\ndebug\ninfo\n");
    expect(result.stderr).toMatch(/^error\nwarn\nTrace: trace\n {4}at .*main\.ts:1/);
    const times = result.console.map(({ atMs }) => atMs);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
  });

  test.each([
    [
      "text as it is, beside values",
      `"a", 1, true, null, undefined, 1n, -0, NaN`,
      "a 1 true null undefined 1n -0 NaN",
    ],
    ["objects and lists", `{ a: [1, "x"], b: { c: null } }`, "{ a: [ 1, 'x' ], b: { c: null } }"],
    [
      "maps, sets and dates",
      `new Map([["k", 1]]), new Set([1]), new Date(0)`,
      "Map(1) { 'k' => 1 } Set(1) { 1 } 1970-01-01T00:00:00.000Z",
    ],
    [
      "classes, functions and symbols",
      `class A {}, function f() {}, Symbol("s")`,
      "[class A] [Function: f] Symbol(s)",
    ],
    ["instances by their class", `new (class Point { x = 1 })()`, "Point { x: 1 }"],
    ["bytes", `new Uint8Array([1, 2])`, "Uint8Array(2) [ 1, 2 ]"],
    ["circles", `(() => { const a = {}; a.a = a; return a; })()`, "<ref *1> { a: [Circular *1] }"],
    ["depth up to a point", `{ a: { b: { c: { d: 1 } } } }`, "{ a: { b: { c: [Object] } } }"],
    [
      "placeholders",
      `"%s is %d%% of %o and %j", "a", 5, [1], { b: 2 }, "rest"`,
      expect.stringMatching(/^a is 5% of \[ 1, .*\] and \{"b":2\} rest$/),
    ],
    ["promises", `Promise.resolve(1), new Promise(() => {})`, expect.stringContaining("Promise {")],
    ["line ends inside", `"a\\nb"`, "a\nb"],
    ["nothing", "", ""],
  ])("shows %s", async (_name, args, shown) => {
    const result = await run({ language: "javascript", code: `console.log(${args});` });
    expect(result.console.map(({ text }) => text)).toEqual([shown]);
  });

  test("has groups, counts, tables, times and assertions", async () => {
    const result = await run({
      code: `
        console.group("g"); console.log("in\\nside"); console.groupEnd(); console.count(); console.count(); console.countReset(); console.count();
        console.assert(true, "no"); console.assert(false, "yes"); console.table([{ a: 1, b: "x" }]); console.dir({ a: 1 }); console.time("t"); console.timeEnd("t");`,
    });
    expect(result.stdout).toContain("g\n  in\n  side\ndefault: 1\ndefault: 2\ndefault: 1\n");
    expect(result.stderr).toBe("Assertion failed: yes\n");
    expect(result.stdout).toMatch(/│ \(index\) │ a │ b +│/);
    expect(result.stdout).toMatch(/\{ a: 1 \}\nt: [\d.]+ms\n$/);
  });

  test("shows an error with the positions that were sent, and nothing of the host", async () => {
    const result = await run({
      code: `type A = 1;\nconst error: Error = new TypeError("bad");\nconsole.error(error);`,
    });
    expect(result.stderr).toMatch(/^TypeError: bad\n {4}at .*main\.ts:2:22/);
    expect(result.stderr).not.toMatch(/node:|node_modules|bulkhead:/);
  });

  test("survives values that fight back", async () => {
    const result = await run({
      code: `
        const bad = () => { throw new Error("no"); };
        for (const value of [{ get a() { return bad(); } }, new Proxy({}, { get: bad, ownKeys: bad, getPrototypeOf: bad }), { [Symbol.toStringTag]: 1 }, Object.create(null), { constructor: bad, toString: bad }]) {
          try { console.log(value); } catch (error) { console.log("threw"); }
        }
        export default () => "there";`,
    });
    expect(value(result)).toBe("there");
    expect(result.console.length).toBe(5);
  });

  test("is streamed while the run goes on, and whole at its end", async () => {
    const all = await lines({
      code: `console.log("one"); await new Promise((done) => setTimeout(done, 20)); console.error("two"); export default 1;`,
      stream: true,
    });
    const events = all.flatMap((line) => ("event" in line ? [line.event] : []));
    expect(
      events.map((event) => (event.type === "console" ? event.line.text : event.type)),
    ).toEqual(["started", "one", "two"]);
    const last = all.at(-1)!;
    expect(last).toMatchObject({ end: { stdout: "one\n", stderr: "two\n" } });
  });

  test("keeps what was said before a failure", async () => {
    const result = await run({ code: `console.log("before"); throw new Error("x");` });
    expect(result).toMatchObject({ outcome: "failed", stdout: "before\n" });
  });
});

describe("a result that JSON can carry", () => {
  test.each([
    ["null", null],
    ["text", 'ü \u2028 \ud83d\ude00 "\\'],
    ["numbers", [0, -1.5, 1e21, 5e-324, 9007199254740991]],
    ["nesting", { a: [{ b: [[]] }], "": {}, "a b": true }],
    ["keys that objects have already", { constructor: 1, toString: 2, hasOwnProperty: 3 }],
    ["a list of many", Array.from({ length: 10_000 }, (_, i) => i)],
  ])("is plain: %s", async (_name, input) => {
    const result = await run({ code: "export default (input) => input;", input });
    expect(result.encoding).toBe("json");
    expect(JSON.parse(result.valueJson!)).toEqual(input);
  });

  test.each([
    ["a toJSON of its own", "({ toJSON: () => ({ a: 1 }) })", { a: 1 }],
    ["a class", "new (class { a = 1; #b = 2; get c() { return 3; } })()", { a: 1 }],
    ["getters", "({ get a() { return 1; } })", { a: 1 }],
    ["boxed values", "[Object('a'), Object(1), Object(true)]", ["a", 1, true]],
    ["no prototype", "Object.assign(Object.create(null), { a: 1 })", { a: 1 }],
    ["a part twice", "(() => { const a = [1]; return { a, b: a }; })()", { a: [1], b: [1] }],
    ["a proxy", "new Proxy({ a: 1 }, {})", { a: 1 }],
    [
      "symbol keys and hidden ones",
      "Object.defineProperty({ [Symbol('s')]: 1, a: 2 }, 'b', { value: 3 })",
      { a: 2 },
    ],
  ])("is plain for what has %s", async (_name, code, gives) => {
    const result = await run({ language: "javascript", code: `export default () => ${code};` });
    expect(result.encoding).toBe("json");
    expect(JSON.parse(result.valueJson!)).toEqual(gives);
  });

  test("keeps a key __proto__ as data, in and out", async () => {
    const result = await run({
      code: `export default (input) => [Object.keys(input), Object.getPrototypeOf(input) === Object.prototype, input];`,
      inputJson: `{"__proto__": {"polluted": true}, "a": 1}`,
    });
    expect(result.valueJson).toBe(`[["__proto__","a"],true,{"__proto__":{"polluted":true},"a":1}]`);
  });

  test("keeps half of a surrogate pair as an escape", async () => {
    const result = await run({ code: `export default () => ["\\ud800", "\\udc00x"];` });
    expect(result.valueJson).toBe(String.raw`["\ud800","\udc00x"]`);
  });
});

describe("a result that JSON cannot carry", () => {
  test.each([
    ["undefined", "undefined", undefined],
    ["undefined inside", "({ a: undefined, b: [undefined] })", { a: undefined, b: [undefined] }],
    ["a BigInt", "12345678901234567890n", 12345678901234567890n],
    ["a negative BigInt", "-1n", -1n],
    ["NaN and the infinities", "[NaN, Infinity, -Infinity]", [NaN, Infinity, -Infinity]],
    ["minus zero", "[-0]", [-0]],
    ["a date", "new Date(1)", new Date(1)],
    ["an invalid date", "new Date(NaN)", new Date(Number.NaN)],
    [
      "a map",
      "new Map([[{ a: 1 }, [1n]], ['k', new Map()]])",
      new Map<unknown, unknown>([
        [{ a: 1 }, [1n]],
        ["k", new Map()],
      ]),
    ],
    ["a set", "new Set([1, 'a', new Set([2])])", new Set<unknown>([1, "a", new Set([2])])],
    ["bytes", "new Uint8Array([0, 255])", new Uint8Array([0, 255])],
    ["bytes of a part", "new Uint8Array([1, 2, 3]).subarray(1)", new Uint8Array([2, 3])],
    ["floats", "new Float64Array([0.5, -1])", new Float64Array([0.5, -1])],
    ["big integers", "new BigInt64Array([-1n])", new BigInt64Array([-1n])],
    ["a buffer", "new Uint8Array([1]).buffer", new Uint8Array([1]).buffer],
    [
      "a view",
      "new DataView(new Uint8Array([7]).buffer)",
      new DataView(new Uint8Array([7]).buffer),
    ],
    ["a function", "({ f: function named() {} })", { f: new DecodedFunction("named") }],
    ["a key $type", "({ $type: 'date', value: 'x', n: 1n })", { $type: "date", value: "x", n: 1n }],
    ["a key $$type", "[{ $$type: 1, $type: 2 }, 1n]", [{ $$type: 1, $type: 2 }, 1n]],
    ["a hole", "[1, , 3]", [1, undefined, 3]],
  ])("is tagged: %s", async (_name, code, gives) => {
    const result = await run({ language: "javascript", code: `export default () => (${code});` });
    expect(result.encoding).toBe("tagged");
    expect(value(result)).toEqual(gives);
  });

  test("keeps circles and shared parts", async () => {
    const result = await run({
      language: "javascript",
      code: `export default () => { const a = { list: [], "x/~": new Map() }; a.list.push(a, a.list); a["x/~"].set("k", a.list); a.set = new Set([a["x/~"]]); return a; };`,
    });
    const a = value(result) as { list: unknown[]; "x/~": Map<string, unknown>; set: Set<unknown> };
    expect(a.list[0]).toBe(a);
    expect(a.list[1]).toBe(a.list);
    expect(a["x/~"].get("k")).toBe(a.list);
    expect([...a.set][0]).toBe(a["x/~"]);
  });

  test("keeps an error's name, message and position", async () => {
    const result = await run({
      code: `export default () => [\n  new RangeError("far"),\n];`,
    });
    const [error] = value(result) as [Error];
    expect(error).toMatchObject({ name: "RangeError", message: "far" });
    expect(error.stack).toContain("main.ts:2:3");
  });

  test.each([
    ["a symbol", "({ a: [Symbol('s')] })", "/a/0"],
    ["a promise inside", "({ a: Promise.resolve(1) })", "/a"],
    ["a weak map", "new WeakMap()", ""],
    ["an iterator", "[[1].values()]", "/0"],
    ["a stream", "[new ReadableStream()]", "ReadableStream"],
    [
      "more levels than readers take",
      "(() => { let a = []; for (let i = 0; i < 1e5; i++) a = [a]; return a; })()",
      "/0/0",
    ],
  ])("is never lost in silence: %s", async (_name, code, place) => {
    const result = await run({ language: "javascript", code: `export default () => (${code});` });
    expect(result.outcome).toBe("failed");
    expect(result.error?.message).toMatch(/^Cannot return /);
    expect(result.error?.message).toContain(place);
  });

  test.each([
    [
      "a Response",
      `new Response("höl", { status: 418, headers: { "x-a": "1" } })`,
      { status: 418, body: "höl" },
    ],
    ["a URL", `new URL("http://a/b")`, "http://a/b"],
    ["Headers", `new Headers({ "X-A": "1" })`, expect.anything()],
  ])("is a thing of the web, by what it holds: %s", async (_name, code, gives) => {
    const result = await run({ code: `export default () => ${code};` });
    const held = value(result);
    expect(typeof gives === "object" ? held : { held }).toMatchObject(
      typeof gives === "object" ? gives : { held: gives },
    );
  });
});
