import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { DecodedFunction } from "../../../protocol/tagged-value.ts";
import { GuestHarness, valueOf } from "../../support/guest-harness.ts";

let guest: GuestHarness;
beforeAll(async () => {
  guest = await GuestHarness.open();
});
afterAll(() => guest.close());

const endOf = async (body: string, resultBytes = 1 << 20) => {
  const code = `export default () => { ${body} };`;
  const { end, crossed } = await guest.run(code, { boot: { resultBytes } });
  expect(crossed).toEqual([]);
  return end;
};

describe("what JSON carries exactly goes as JSON", () => {
  test.each([
    ["null", null],
    ["true", true],
    ["0", 0],
    ["-1.5e300", -1.5e300],
    ["1e21", 1e21],
    ["Number.MAX_SAFE_INTEGER", Number.MAX_SAFE_INTEGER],
    ['""', ""],
    [String.raw`"\u0000\ud83d\ude00 \u2028 \" \\"`, '\0😀 \u2028 " \\'],
    ["[]", []],
    ["[[], {}, [null]]", [[], {}, [null]]],
    ["({})", {}],
    ['({ a: { "b c": ["d"] }, 1: 2 })', { a: { "b c": ["d"] }, 1: 2 }],
    ["Object.create(null, { a: { value: 1, enumerable: true } })", { a: 1 }],
    ['({ ["__proto__"]: 1 })', JSON.parse('{"__proto__":1}') as unknown],
    ['({ $type: "map", value: [] })', { $type: "map", value: [] }],
    ["new (class Point { x = 1; #y = 2; get z() { return 3; } })()", { x: 1 }],
    ["Object.freeze([1, 2])", [1, 2]],
    ["(() => { const shared = [1]; return [shared, shared]; })()", [[1], [1]]],
    ["(() => { const a = [1]; a.extra = 2; return a; })()", [1]],
    ["Object(5)", 5],
    ['Object("text")', "text"],
    ["/a+/gi", "/a+/gi"],
    ["({ get a() { return [1]; } })", { a: [1] }],
    ["new Proxy({ a: 1 }, {})", { a: 1 }],
    ["new Proxy([1, 2], {})", [1, 2]],
    ["({ [Symbol('s')]: 1, a: 2 })", { a: 2 }],
    ["({ toJSON() { return { made: true }; }, a: 1 })", { made: true }],
    ["new (class Money { toJSON(key) { return '5 EUR' + key; } })()", "5 EUR"],
    ["({ price: new (class Money { toJSON(key) { return key; } })() })", { price: "price" }],
    ["[{ toJSON(key) { return key; } }]", ["0"]],
  ])("%s", async (expression, value) => {
    const end = await endOf(`return ${expression};`);
    expect(end).toMatchObject({ kind: "value", encoding: "json" });
    expect(valueOf(end)).toEqual(value);
  });

  test("a lone surrogate is kept", async () => {
    expect(valueOf(await endOf(String.raw`return "a\ud800";`))).toBe("a\ud800");
  });
});

const bytes = (...list: number[]) => new Uint8Array(list);
const circle: { self?: unknown; list?: unknown[] } = {};
circle.self = circle;
circle.list = [circle];

describe("what it does not goes with tags, and comes back as it was", () => {
  test.each<[string, unknown]>([
    ["undefined", undefined],
    ["[undefined]", [undefined]],
    ["({ a: undefined })", { a: undefined }],
    ["[, 1]", [undefined, 1]],
    ["123456789012345678901234567890n", 123456789012345678901234567890n],
    ["-5n", -5n],
    ["NaN", NaN],
    ["Infinity", Infinity],
    ["-Infinity", -Infinity],
    ["-0", -0],
    ["new Date(86400000)", new Date(86400000)],
    ["new Date(NaN)", new Date(NaN)],
    [
      "new Map([[1, 'a'], [{ k: 1 }, [2]]])",
      new Map<unknown, unknown>([
        [1, "a"],
        [{ k: 1 }, [2]],
      ]),
    ],
    ["new Map()", new Map()],
    ["new Set([1, 'a', [2]])", new Set([1, "a", [2]])],
    ["new Set()", new Set()],
    ["new Uint8Array([1, 2, 255])", bytes(1, 2, 255)],
    ["new Uint8Array([1, 2, 3, 4]).subarray(1, 3)", bytes(2, 3)],
    ["new Uint8ClampedArray([300])", new Uint8ClampedArray([255])],
    ["new Int16Array([-2])", new Int16Array([-2])],
    ["new Float64Array([0.1, NaN])", new Float64Array([0.1, NaN])],
    ["new BigInt64Array([-1n])", new BigInt64Array([-1n])],
    ["new Float16Array([1.5])", new Float32Array([1.5])],
    ["new Uint8Array([1, 2]).buffer", bytes(1, 2).buffer],
    ["new DataView(new Uint8Array([1, 2, 3]).buffer, 1)", new DataView(bytes(2, 3).buffer)],
    ["new ArrayBuffer(0)", new ArrayBuffer(0)],
    [
      "({ $type: 1, $$type: 2, $$$type: 3, a$type: 4, u: undefined })",
      { $type: 1, $$type: 2, $$$type: 3, a$type: 4, u: undefined },
    ],
    ["(() => { const a = {}; a.self = a; a.list = [a]; return a; })()", circle],
    ["Object(5n)", 5n],
    ["function named() {}", new DecodedFunction("named")],
    ["[() => {}]", [new DecodedFunction("")]],
    ["({ a: 1, toJSON() { return this; } })", { a: 1, toJSON: new DecodedFunction("toJSON") }],
    ["(class Shop {})", new DecodedFunction("Shop")],
  ])("%s", async (expression, value) => {
    const end = await endOf(`return ${expression};`);
    expect(end).toMatchObject({ kind: "value", encoding: "tagged" });
    expect(valueOf(end)).toEqual(value);
  });

  test("an error, with its name, message and stack", async () => {
    const error = valueOf(await endOf(`return new RangeError("far");`)) as Error;
    expect([error.name, error.message]).toEqual(["RangeError", "far"]);
    expect(error.stack).toMatch(/^RangeError: far\n {4}at .*main\.ts:1/);
  });

  test("shared parts are shared again, by pointers that survive every key and place", async () => {
    const value = valueOf(
      await endOf(`
        const leaf = { u: undefined }; const map = new Map([["k", leaf], [leaf, leaf]]);
        return { "a/b~c": [0, leaf], $type: leaf, "": leaf, map, set: new Set([map, leaf]), again: map, date: new Date(1), };`),
    ) as Record<string, unknown> & {
      "a/b~c": unknown[];
      map: Map<unknown, unknown>;
      set: Set<unknown>;
    };
    const leaf = value["a/b~c"][1];
    expect(leaf).toEqual({ u: undefined });
    expect([value["$type"], value[""], value.map.get("k"), value.map.get(leaf)]).toEqual([
      leaf,
      leaf,
      leaf,
      leaf,
    ]);
    expect(value["$type"]).toBe(leaf);
    expect([...value.set]).toEqual([value.map, leaf]);
    expect([...value.set][0]).toBe(value["again"]);
  });

  test("values made at random come back the same", async () => {
    const value = (await guest.returned(`
      let seed = 7; const random = (n) => (seed = (seed * 1103515245 + 12345) % 2147483648) % n;
      const made = [];
      const make = (depth) => {
        switch (random(depth > 4 ? 9 : 14)) {
          case 0: return random(1000) - 500; case 1: return "k" + random(9); case 2: return null; case 3: return undefined;
          case 4: return BigInt(random(1e6)); case 5: return random(2) ? NaN : -0; case 6: return new Date(random(1e9));
          case 7: return new Uint16Array([random(9), random(9)]); case 8: return made.length ? made[random(made.length)] : true;
          case 9: case 10: { const list = []; made.push(list); for (let i = random(6); i > 0; i--) list.push(make(depth + 1)); return list; }
          case 11: { const map = new Map(); made.push(map); for (let i = random(5); i > 0; i--) map.set(make(depth + 1), make(depth + 1)); return map; }
          case 12: { const set = new Set(); made.push(set); for (let i = random(5); i > 0; i--) set.add(make(depth + 1)); return set; }
          default: { const object = {}; made.push(object); for (let i = random(6); i > 0; i--) object[["a/b", "$type", "~", "x" + i][random(4)]] = make(depth + 1); return object; }
        }
      };
      const value = Array.from({ length: 300 }, () => make(0));
      const ids = new Map(); const show = (v) => {
        if (typeof v === "bigint") return v + "n"; if (typeof v !== "object" || v === null) return Object.is(v, -0) ? "-0" : typeof v + String(v);
        if (ids.has(v)) return "#" + ids.get(v); ids.set(v, ids.size);
        if (v instanceof Date) return "D" + v.getTime(); if (ArrayBuffer.isView(v)) return "B" + [...v].join();
        if (v instanceof Map) return "M(" + [...v].map(([k, x]) => show(k) + ":" + show(x)).join() + ")"; if (v instanceof Set) return "S(" + [...v].map(show).join() + ")";
        if (Array.isArray(v)) return "[" + v.map(show).join() + "]"; return "{" + Object.keys(v).map((k) => k + ":" + show(v[k])).join() + "}"; };
      return { value, shown: show(value), show: String(show) };`)) as {
      value: unknown[];
      shown: string;
    };
    expect(show(value.value)).toBe(value.shown);
  });
});

function show(root: unknown): string {
  const ids = new Map<unknown, number>();
  const one = (v: unknown): string => {
    if (typeof v === "bigint") return `${v}n`;
    if (typeof v !== "object" || v === null) return Object.is(v, -0) ? "-0" : typeof v + String(v);
    if (ids.has(v)) return `#${ids.get(v)}`;
    ids.set(v, ids.size);
    if (v instanceof Date) return `D${v.getTime()}`;
    if (ArrayBuffer.isView(v)) return `B${[...(v as Uint16Array)].join()}`;
    if (v instanceof Map) return `M(${[...v].map(([k, x]) => `${one(k)}:${one(x)}`).join()})`;
    if (v instanceof Set) return `S(${[...v].map(one).join()})`;
    if (Array.isArray(v)) return `[${v.map(one).join()}]`;
    return `{${Object.entries(v)
      .map(([k, x]) => `${k}:${one(x)}`)
      .join()}}`;
  };
  return one(root);
}

describe("the runtime's own objects go as what they stand for", () => {
  test.each([
    [`new URL("/a?b", "https://x.example")`, "https://x.example/a?b"],
    [`new URLSearchParams({ a: "1 2" })`, "a=1+2"],
    [
      `new Headers([["b", "2"], ["a", "1"]])`,
      [
        ["a", "1"],
        ["b", "2"],
      ],
    ],
    [`new Blob(["hi"])`, bytes(104, 105)],
    [
      `(() => { const form = new FormData(); form.append("a", "1"); return form; })()`,
      [["a", "1"]],
    ],
    [
      `new Request("https://x.example", { headers: { a: "b" } })`,
      { method: "GET", url: "https://x.example/", headers: [["a", "b"]] },
    ],
    [
      `[new Response("unread", { status: 404 })]`,
      [{ status: 404, statusText: "", headers: [["content-type", "text/plain;charset=UTF-8"]] }],
    ],
    [`AbortSignal.abort()`, { aborted: true }],
  ])("%s", async (expression, value) => {
    expect(valueOf(await endOf(`return ${expression};`))).toEqual(value);
  });

  test("a DOMException is an error", async () => {
    const error = valueOf(await endOf(`return new DOMException("m", "DataError");`)) as Error;
    expect([error.name, error.message]).toEqual(["DataError", "m"]);
  });
});

describe("what no encoding carries fails the run, and says where it is", () => {
  test.each([
    [`{ a: [Symbol("s")] }`, 'Cannot return a symbol at "/a/0": no encoding carries it'],
    [`{ "x/y": Promise.resolve(1) }`, 'Cannot return a promise at "/x~1y": await it first'],
    [
      `[new Map().values()]`,
      'Cannot return an iterator at "/0": put what it gives into a list first',
    ],
    [`(function* () {})()`, "Cannot return an iterator: put what it gives into a list first"],
    [
      `[(async function* () {})()]`,
      'Cannot return an iterator at "/0": put what it gives into a list first',
    ],
    [`new WeakMap()`, "Cannot return a weak reference: no encoding carries it"],
    [`[new WeakRef({})]`, 'Cannot return a weak reference at "/0": no encoding carries it'],
    [`{ body: new ReadableStream() }`, "Cannot return a ReadableStream: read what is in it first"],
  ])("%s", async (expression, message) => {
    expect(await endOf(`return ${expression};`)).toMatchObject({
      kind: "error",
      name: "TypeError",
      message,
    });
  });
});

describe("limits", () => {
  test.each([
    [`"x".repeat(98)`, true],
    [`"x".repeat(99)`, false],
    [`"ä".repeat(49)`, true],
    [`"ä".repeat(50)`, false],
    [`"€".repeat(32)`, true],
    [`"€".repeat(33)`, false],
    [`"😀".repeat(24)`, true],
    [`"😀".repeat(25)`, false],
    [`[new Uint8Array(40)]`, false],
    [`new Uint8Array(21)`, true],
    [`Array(50).fill(1)`, false],
    [`new Array(2 ** 32 - 1)`, false],
    [`new Array(1e6).fill(0)`, false],
    [`(() => { let a = [1]; for (let i = 0; i < 60; i++) a = [a, a]; return a; })()`, false],
  ])("of 100 bytes: %s", async (expression, fits) => {
    const end = await endOf(`return ${expression};`, 100);
    expect(end.kind).toBe(fits ? "value" : "overflow");
  });

  test("a circle with much in it does not count more than once", async () => {
    const end = await endOf(`const a = { text: "x".repeat(5e5) }; a.self = a; return a;`);
    expect(end).toMatchObject({ kind: "value", encoding: "tagged" });
  });

  test.each([
    ["lists", "a = [a]", 500, "json"],
    ["objects with tags", "a = { a, u: undefined }", 500, "tagged"],
  ])("of 500 levels of %s", async (_what, step, most, encoding) => {
    const make = (levels: number) =>
      `let a = ${encoding === "json" ? "[]" : "{}"}; for (let i = 1; i < ${levels}; i++) ${step}; return a;`;
    expect(await endOf(make(most))).toMatchObject({ kind: "value", encoding });
    expect(await endOf(make(most + 1))).toMatchObject({
      kind: "error",
      name: "RangeError",
      message: expect.stringMatching(
        /^Cannot return a value of more than 500 levels: it is deeper at "\//,
      ) as unknown,
    });
  });

  test("a million levels fail the run like 501", async () => {
    expect(
      await endOf(`let a = []; for (let i = 0; i < 1e6; i++) a = [a]; return a;`),
    ).toMatchObject({ kind: "error", name: "RangeError" });
    expect(
      await endOf(
        `const endless = () => ({ toJSON: () => ({ a: endless() }) }); return endless();`,
      ),
    ).toMatchObject({ kind: "error", name: "RangeError" });
  });

  test("a list of a million numbers goes through where it fits", async () => {
    const end = await endOf(`return Array.from({ length: 1e6 }, (_, i) => i % 10);`, 3_000_000);
    expect((valueOf(end) as number[]).length).toBe(1e6);
  });
});

/** What a program may do to its own realm before it returns. */
const SABOTAGE = [
  `Object.prototype.toJSON = function () { return "forged"; };`,
  `Array.prototype.toJSON = Map.prototype.toJSON = Date.prototype.toJSON = () => "forged";`,
  `Object.setPrototypeOf(Array.prototype, { __proto__: Object.prototype, toJSON: () => "forged" });`,
  `BigInt.prototype.toJSON = String.prototype.toJSON = Number.prototype.toJSON = () => "forged";`,
  `JSON.stringify = () => '"forged"'; JSON.parse = () => "forged";`,
  `Array.isArray = () => false; Object.keys = () => []; Reflect.ownKeys = () => [];`,
  `Array.prototype[Symbol.iterator] = Map.prototype[Symbol.iterator] = Set.prototype[Symbol.iterator] = function* () {};`,
  `Map.prototype.get = () => "forged"; Map.prototype.set = Map.prototype.has = Map.prototype.forEach = Set.prototype.forEach = () => {};`,
  `String.prototype.replace = String.prototype.slice = String.prototype.charCodeAt = String.prototype.includes = () => "";`,
  `String.fromCharCode = () => '"'; Array.prototype.push = Array.prototype.join = Array.prototype.map = () => '"';`,
  `Object.defineProperty(Array.prototype, 0, { set() {}, get: () => '"', configurable: true });`,
  `Object.defineProperty(Object.prototype, "kind", { get: () => "forged", set() {}, configurable: true });`,
  `Function.prototype.call = Function.prototype.apply = Function.prototype.bind = () => "forged"; Reflect.apply = () => "forged";`,
  `Promise.prototype.then = () => {}; globalThis.Promise = class {};`,
  `Date.prototype.getTime = () => 5; Date.prototype.toISOString = () => "forged";`,
  `Object.defineProperty(Object.getPrototypeOf(Uint8Array.prototype), "length", { get: () => 3 }); Object.defineProperty(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag, { get: () => "forged" });`,
  `Error.isError = () => true; Number.isInteger = Object.is = () => true;`,
  `for (const name of ["Object", "Array", "Map", "Set", "Date", "JSON", "Reflect", "String", "Uint8Array", "Error", "RegExp", "Symbol"]) delete globalThis[name];`,
  `RegExp.prototype.test = RegExp.prototype.exec = () => true; RegExp.prototype[Symbol.replace] = () => "";`,
];

describe("a program that changed its realm gets its result all the same", () => {
  test.each(SABOTAGE)("%s", async (sabotage) => {
    const end = await endOf(
      `const value = { json: [1, "a\\"b", { c: null }], map: new Map([["k", new Set([1n])]]), date: new Date(0), bytes: new Uint8Array([1, 2, 3, 4]), error: new RangeError("e"), f() {} };
       value.self = value; ${sabotage} return value;`,
    );
    const value = valueOf(end) as Record<string, unknown>;
    expect(value).toMatchObject({
      json: [1, 'a"b', { c: null }],
      map: new Map([["k", new Set([1n])]]),
      date: new Date(0),
      bytes: bytes(1, 2, 3, 4),
    });
    expect(value["self"]).toBe(value);
  });

  test.each(SABOTAGE)("and plain JSON, too: %s", async (sabotage) => {
    const end = await endOf(
      `const value = { json: [1, "a", { c: null }] }; ${sabotage} return value;`,
    );
    expect(end).toMatchObject({ encoding: "json", json: '{"json":[1,"a",{"c":null}]}' });
  });
});

describe("a hostile value ends as a value or as the run's own failure, and its text is one JSON value", () => {
  test.each([
    [`({ get a() { throw new RangeError("mine"); } })`, { kind: "error", name: "RangeError" }],
    [
      `new Proxy({}, { ownKeys() { throw new RangeError("mine"); } })`,
      { kind: "error", name: "RangeError" },
    ],
    [
      `new Proxy({}, { get() { return "x"; }, ownKeys: () => ["a"], getOwnPropertyDescriptor: () => ({ value: 1, enumerable: true, configurable: true }) })`,
      { kind: "value" },
    ],
    [
      `new Proxy([], { get: (_, key) => (key === "length" ? 3 : key === "toJSON" ? undefined : '","x":"') })`,
      { json: String.raw`["\",\"x\":\"","\",\"x\":\"","\",\"x\":\""]` },
    ],
    [`new Proxy([], { get: (_, key) => (key === "length" ? 1e15 : 1) })`, { kind: "overflow" }],
    [
      `(() => { const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); return { proxy }; })()`,
      { kind: "error", name: "TypeError" },
    ],
    [`({ toJSON() { throw new RangeError("mine"); } })`, { kind: "error", name: "RangeError" }],
    [
      `(() => { let n = 0; return { get a() { return n++ === 0 ? 1 : undefined; }, b: 1n }; })()`,
      { kind: "value" },
    ],
    [`Object.setPrototypeOf({ a: 1 }, Map.prototype)`, { json: '{"a":1}' }],
    [`Object.setPrototypeOf(new Map([[1, 2]]), null)`, { json: "{}" }],
    [`Object.assign(new Error("x"), { name: { toString() { throw 1; } } })`, { kind: "value" }],
    [`({ __proto__: { toJSON: 5 }, a: 1 })`, { json: '{"a":1}' }],
    [`globalThis`, { kind: "value" }],
    [`Math`, { json: "{}" }],
    [
      `(() => { const a = new Uint8Array(8); a.buffer.transfer(); return a; })()`,
      { kind: "value" },
    ],
    [
      `(() => { const b = new ArrayBuffer(8, { maxByteLength: 16 }); const a = new Uint8Array(b, 4); b.resize(2); return a; })()`,
      { kind: "value" },
    ],
    [
      `Object.defineProperty(() => {}, "name", { get() { return { toString: () => '"' }; } })`,
      { json: '{"$type":"function","value":""}' },
    ],
  ])("%s", async (expression, expected) => {
    const end = await endOf(`return ${expression};`);
    expect(end).toMatchObject(expected);
    expect(() => (end.kind === "value" ? valueOf(end) : null)).not.toThrow();
  });
});
