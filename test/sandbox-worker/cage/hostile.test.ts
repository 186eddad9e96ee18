import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { CageFixture, outcomeOf, valueOf } from "./cage-process.ts";

const fixture = new CageFixture();
beforeAll(() => fixture.open());
afterAll(() => fixture.close());

/** What a supervisor may be told of a run that passed some cap. */
const OVERRUNS = ["memory_limit", "wall_timeout", "cpu_timeout"];

const inDefault = (body: string): string => `export default () => { ${body} }`;

/** Programs that break a process with isolates in it, by how they do it. */
const PROGRAMS: readonly (readonly [family: string, code: string])[] = [
  ["V8 out of memory: symbols", inDefault('for (let i = 0; ; i++) Symbol.for("s" + i);')],
  [
    "V8 out of memory: a set",
    inDefault('const s = new Set(); for (let i = 0; ; i++) s.add("k" + i);'),
  ],
  ["V8 out of memory: keys", inDefault('const o = {}; for (let i = 0; ; i++) o["k" + i] = i;')],
  ["V8 out of memory: a sort", inDefault("Array.prototype.sort.call({ length: 2 ** 53 - 1 });")],
  [
    "a preallocated array",
    inDefault(
      "const a = []; a.length = 4e7; const t = new Uint8Array(1e7); for (let i = 0; i < 4; i++) a.push(...Array.from(t));",
    ),
  ],
  ["heap: arrays", inDefault("const a = []; for (;;) a.push(new Array(1000).fill(1));")],
  ["heap: objects", inDefault("const a = []; for (;;) a.push({ a: 1 });")],
  ["heap: spread", inDefault("let a = [1]; for (;;) a = [...a, ...a];")],
  [
    "heap: strings",
    inDefault('let s = "a"; const k = []; for (;;) { s += s; k.push(s.toUpperCase()); }'),
  ],
  [
    "heap: JSON",
    inDefault('let s = "[1]"; for (;;) s = JSON.stringify([JSON.parse(s), JSON.parse(s)]);'),
  ],
  [
    "heap: closures of promises",
    inDefault("const a = []; for (;;) a.push(new Promise(() => {}).then(() => {}));"),
  ],
  ["heap: rejections", inDefault("for (;;) Promise.reject(new Error('x'.repeat(1e4)));")],
  ["buffers: fixed", inDefault("const a = []; for (;;) a.push(new Uint8Array(1e6).fill(1));")],
  [
    "buffers: resizable",
    inDefault(
      "const a = []; for (;;) { const b = new ArrayBuffer(1e6, { maxByteLength: 1e8 }); b.resize?.(1e8); new Uint8Array(b).fill(1); a.push(b); }",
    ),
  ],
  ["BigInt: squares", inDefault("let n = 3n; for (;;) n = n * n;")],
  ["BigInt: text", inDefault("(2n ** 30_000_000n).toString();")],
  ["a builtin: indexOf", inDefault("Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1);")],
  ["a builtin: join", inDefault('const a = []; a[2 ** 32 - 2] = 1; a.join("");')],
  ["a builtin: fill", inDefault("Array(1e9).fill(0);")],
  ["a builtin: reverse", inDefault("Array.prototype.reverse.call({ length: 2 ** 53 - 1 });")],
  ["a builtin: replaceAll", inDefault('"a".repeat(2 ** 27).replaceAll("a", "bb");')],
  ["a builtin: normalize", inDefault('for (;;) "\\u1e9b\\u0323".repeat(1e6).normalize("NFKD");')],
  [
    "a regular expression with a million ways",
    inDefault(
      'new RegExp("(?:" + Array.from({ length: 1e6 }, (_, i) => "K" + i).join("|") + ")", "i").test("k".repeat(1e4));',
    ),
  ],
  [
    "a rejection that is a looping Proxy",
    inDefault(
      "Promise.reject(new Proxy({}, { get() { for (;;); } })); return new Promise(() => setTimeout(() => {}, 1e5));",
    ),
  ],
  [
    "rejections that make rejections",
    "addEventListener('unhandledrejection', (event) => { event.preventDefault(); Promise.reject(1); }); export default () => { Promise.reject(0); return new Promise(() => {}); };",
  ],
  ["a looping Proxy thrown at the top", "throw new Proxy({}, { get() { for (;;); } });"],
  ["a looping getter thrown at the top", "throw { get stack() { for (;;); } };"],
  [
    "a looping getter thrown late",
    "await null; throw Object.defineProperty(new Error(), 'message', { get() { for (;;); } });",
  ],
  [
    "a looping getter thrown in a timer",
    inDefault(
      "setTimeout(() => { throw { get message() { for (;;); } }; }); return new Promise(() => {});",
    ),
  ],
  ["Error.prepareStackTrace", inDefault("Error.prepareStackTrace = () => { for (;;); }; null.x;")],
  ["Error.prepareStackTrace at the top", "Error.prepareStackTrace = () => { for (;;); }; null.x;"],
  ["a looping thenable", "export default { get then() { for (;;); } };"],
  [
    "a looping Proxy as the default export",
    "export default new Proxy(function () {}, { apply() { for (;;); }, get() { for (;;); }, has() { for (;;); }, ownKeys() { for (;;); } });",
  ],
];

describe("a hostile program", () => {
  it.each(PROGRAMS)("is contained: %s", async (_family, code) => {
    const ended = await fixture.runToAnyEnd(code, {
      isolation: "tenant",
      caps: { wallMs: 800, cpuMs: 5_000 },
    });
    expect(OVERRUNS).toContain(outcomeOf(ended));
    expect(valueOf(await fixture.run("export default 'next'", { isolation: "tenant" }))).toBe(
      "next",
    );
  });

  it.each([
    ["recursion", "const f = () => f() + 1; export default f;"],
    [
      "recursion into the host",
      "const f = () => { try { f(); } finally { new URL('http://a'); } }; export default f;",
    ],
    [
      "a result nested without end",
      "let a = []; for (let i = 0; i < 1e5; i++) a = [a]; export default a;",
    ],
    ["eval of too much source", "export default () => eval('1;'.repeat(2e7));"],
    ["parser overflow", "export default () => eval('('.repeat(1e6));"],
    ["dynamic import", "export default () => import('./x.ts');"],
    ["a string too long", "let s = 'a'; export default () => { for (;;) s += s; };"],
    [
      "globals replaced",
      "for (const k of ['Promise', 'Array', 'Object', 'String', 'JSON', 'Error', 'Map', 'Function']) globalThis[k] = undefined; export default () => { throw 1; };",
    ],
    [
      "prototypes replaced",
      "for (const C of [Array, Object, String, Promise, Map, Function]) for (const k of Object.getOwnPropertyNames(C.prototype)) try { C.prototype[k] = () => { throw 1; }; } catch {} export default () => { throw 1; };",
    ],
    [
      "setters on Object.prototype",
      "for (const k of ['kind', 'message', 'stack', 'json', 'error', '0']) Object.defineProperty(Object.prototype, k, { set() { throw 1; }, get() { throw 1; } }); export default () => { throw 1; };",
    ],
  ])("fails by itself and costs nothing: %s", async (_what, code) => {
    const ended = await fixture.runToAnyEnd(code, { isolation: "tenant" });
    expect(["failed", "ok"]).toContain(outcomeOf(ended));
  });

  it("reads none of what it throws as something of the host's", async () => {
    const code = `const error = new Error("Script execution timed out."); throw error;`;
    expect((await fixture.run(code)).outcome).toBe("failed");
    const memory = `throw new Error("Isolate was disposed during execution due to memory limit");`;
    expect((await fixture.run(memory)).outcome).toBe("failed");
  });

  it("says with its own output, not ours, what nobody caught", async () => {
    const code = `export default async () => { void (async () => { throw new TypeError("lost"); })(); return 1; }`;
    const ended = await fixture.runToAnyEnd(code);
    expect(ended).toMatchObject({ how: "result" });
    expect(JSON.stringify(ended)).toContain("lost");
    expect(JSON.stringify(ended)).not.toContain("isolated-vm");
  });

  it("cannot learn the host's paths from an error of the host's", async () => {
    const code = `const f = () => { try { return f(); } catch (error) {
        try { new TextDecoder("latin1").decode(new Uint8Array(1)); structuredClone({}); new URL("http://a").host; } catch (inner) { return inner.stack; }
        return error.stack;
      } };
      export default () => [f(), (() => { try { new TextDecoder("nonsense") } catch (e) { return e.stack } })()];`;
    const end = await fixture.run(code);
    expect(end.valueJson).not.toMatch(/cage|node_modules|isolated|node:/);
  });
});
