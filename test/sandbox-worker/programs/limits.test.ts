import { describe, expect, test } from "vitest";

import { programs } from "./program.ts";

const { run, value } = programs();

describe("the wall limit", () => {
  const wait = `export default (ms) => new Promise((done) => setTimeout(() => done("done"), ms));`;

  test("lets what is under it end, stops what is over, and may be set higher", async () => {
    expect(value(await run({ code: wait, input: 20, caps: { wallMs: 5000 } }))).toBe("done");
    expect(await run({ code: wait, input: 1000, caps: { wallMs: 400 } })).toMatchObject({
      outcome: "wall_timeout",
      certainty: "certain",
      valueJson: null,
      started: true,
    });
    expect(value(await run({ code: wait, input: 1000, caps: { wallMs: 5000 } }))).toBe("done");
  });

  test.each([
    ["a promise that never settles", "export default () => new Promise(() => {});"],
    ["an await at the top that never ends", "await new Promise(() => {}); export default 1;"],
    ["a thenable that never answers", "export default () => ({ then() {} });"],
    [
      "an interval without end",
      "export default () => new Promise(() => setInterval(() => {}, 10));",
    ],
    [
      "a stream that never ends",
      "export default () => new Response(new ReadableStream({})).text();",
    ],
    ["a script whose timers never end", "setInterval(() => {}, 10);"],
    ["a loop with more CPU than wall", "export default () => { for (;;); };"],
    ["a loop at the top", "for (;;); export default 1;"],
    ["a loop in another module", "import './lib.ts'; export default 1;"],
  ])("stops %s", async (_name, code) => {
    const result = await run({
      code,
      modules: { "lib.ts": "for (;;);" },
      caps: { wallMs: 300, cpuMs: 10_000 },
    });
    expect(result.outcome).toBe("wall_timeout");
  });

  test("keeps what was said before it", async () => {
    const result = await run({
      code: `console.log("before"); await new Promise(() => {});`,
      caps: { wallMs: 400 },
    });
    expect(result).toMatchObject({ outcome: "wall_timeout", stdout: "before\n" });
  });
});

describe("the CPU limit", () => {
  const burn = `export default (ms) => { const end = performance.now() + ms; while (performance.now() < end); return "done"; };`;

  test("lets what is under it end, stops what is over, and may be set higher", async () => {
    expect(value(await run({ code: burn, input: 10, caps: { cpuMs: 2000 } }))).toBe("done");
    expect(
      await run({
        code: "export default () => { for (;;); };",
        caps: { cpuMs: 100, wallMs: 10_000 },
      }),
    ).toMatchObject({
      outcome: "cpu_timeout",
      certainty: "certain",
      valueJson: null,
    });
    expect(
      value(await run({ code: burn, input: 300, caps: { cpuMs: 5000, wallMs: 10_000 } })),
    ).toBe("done");
  });

  test.each([
    ["at the top", "for (;;); export default 1;"],
    [
      "in small pieces between timers",
      "export default () => new Promise(() => setInterval(() => { const end = performance.now() + 20; while (performance.now() < end); }, 1));",
    ],
    ["in microtasks", "export default async () => { for (;;) await null; };"],
    [
      "in queued microtasks",
      "const next = () => queueMicrotask(next); export default () => { next(); return new Promise(() => {}); };",
    ],
    ["in a regular expression", "export default () => /^(a+)+$/.test('a'.repeat(40) + 'b');"],
    ["in a getter of the result", "export default () => ({ get a() { for (;;); } });"],
    ["in toJSON of the result", "export default () => ({ toJSON() { for (;;); } });"],
    ["in a fetch handler", "export default { fetch() { for (;;); } };"],
  ])("stops a loop %s", async (_name, code) => {
    const result = await run({ code, caps: { cpuMs: 200, wallMs: 10_000 } });
    expect(result.outcome).toBe("cpu_timeout");
  });

  test("counts what the engine does for a run beside it", async () => {
    const code = `export default async () => { const key = await crypto.subtle.importKey("raw", new Uint8Array(8), "PBKDF2", false, ["deriveBits"]); for (let i = 0; i < 100; i++) await crypto.subtle.deriveBits({ name: "PBKDF2", hash: "SHA-512", salt: new Uint8Array(8), iterations: 1e6 }, key, 512); };`;
    const result = await run({ code, caps: { cpuMs: 300, wallMs: 10_000 } });
    expect(result.outcome).toBe("cpu_timeout");
  });

  test("does not count waiting", async () => {
    const code = `export default () => new Promise((done) => setTimeout(() => done("done"), 400));`;
    expect(value(await run({ code, caps: { cpuMs: 200, wallMs: 5000 } }))).toBe("done");
  });
});

describe("the memory limit", () => {
  const megabytes = `
    const kinds = {
      heap: (mb) => Array.from({ length: mb }, () => Array.from({ length: 131072 }, (_, i) => i + 0.5)),
      strings: (mb) => Array.from({ length: mb }, (_, i) => { const s = String.fromCharCode(97 + (i % 26)).repeat(1 << 20); s.charCodeAt(9); return s + i; }).map((s) => s.toUpperCase()),
      buffers: (mb) => Array.from({ length: mb }, () => new Uint8Array(1 << 20).fill(1)),
    };
    export default ({ kind, mb }) => { const kept = kinds[kind](mb); return kept.length; };`;

  test.each(["heap", "strings", "buffers"])(
    "lets %s under it be, stops what is over, and may be set higher",
    async (kind) => {
      const caps = { wallMs: 20_000, cpuMs: 10_000 };
      const under = { kind, mb: 20 };
      expect(
        value(await run({ code: megabytes, input: under, caps: { ...caps, memoryMb: 64 } })),
      ).toBe(20);
      const over = { kind, mb: 110 };
      const result = await run({ code: megabytes, input: over, caps: { ...caps, memoryMb: 64 } });
      expect(result).toMatchObject({
        outcome: "memory_limit",
        certainty: "certain",
        valueJson: null,
      });
      expect(
        value(await run({ code: megabytes, input: over, caps: { ...caps, memoryMb: 256 } })),
      ).toBe(110);
    },
  );

  test.each([
    ["a heap without end", "const kept = []; for (;;) kept.push(new Array(1000).fill(0.5));"],
    [
      "buffers without end",
      "const kept = []; for (;;) kept.push(new Uint8Array(1 << 22).fill(1));",
    ],
    [
      "growing resizable buffers",
      "const kept = []; for (;;) { const b = new ArrayBuffer(1, { maxByteLength: 1 << 26 }); b.resize(1 << 26); new Uint8Array(b).fill(1); kept.push(b); }",
    ],
    [
      "flattened strings",
      "let s = 'x'; const kept = []; for (let i = 0; ; i++) { s = s.length < 1 << 24 ? s + s : s; kept.push((s + i).toLowerCase()); }",
    ],
    ["BigInts", "const kept = []; for (let i = 1n; ; i++) kept.push(1n << (8_000_000n + i));"],
    ["blobs", "const kept = []; for (;;) kept.push(new Blob([new Uint8Array(1 << 20).fill(1)]));"],
    ["a map without end", "const map = new Map(); for (let i = 0; ; i++) map.set(i, {});"],
    [
      "transferred buffers",
      "let kept = []; for (;;) { const b = new Uint8Array(1 << 22).fill(1).buffer; kept.push(structuredClone(b, { transfer: [b] })); }",
    ],
    [
      "streams that queue",
      "export default async () => { const kept = []; const w = new WritableStream({ write() { return new Promise(() => {}); } }).getWriter(); for (;;) w.write(new Uint8Array(1 << 20).fill(1)).catch(() => {}); };",
    ],
    [
      "an async loop",
      "export default async () => { const kept = []; for (;;) { kept.push(new Array(10000).fill(0.5)); await null; } };",
    ],
    [
      "a timer loop",
      "export default () => new Promise(() => { const kept = []; const go = () => { for (let i = 0; i < 100; i++) kept.push(new Array(10000).fill(0.5)); setTimeout(go); }; go(); });",
    ],
  ])("stops %s", async (_name, code) => {
    const result = await run({
      language: "javascript",
      code,
      caps: { memoryMb: 32, wallMs: 20_000, cpuMs: 15_000 },
    });
    expect(result.outcome).toBe("memory_limit");
  });

  test("is what refused a buffer that no memory holds", async () => {
    const result = await run({ code: "export default () => new ArrayBuffer(2 ** 40);" });
    expect(result).toMatchObject({ outcome: "memory_limit", error: { name: "RangeError" } });
  });

  test("is not what refused a text longer than any", async () => {
    const result = await run({ code: "export default () => 'x'.repeat(2 ** 30);" });
    expect(result).toMatchObject({ outcome: "failed", error: { name: "RangeError" } });
  });

  test("has no way around it by shared or machine memory", async () => {
    const code = `export default () => ["WebAssembly", "SharedArrayBuffer", "Atomics"].filter((name) => name in globalThis);`;
    expect(value(await run({ code }))).toEqual([]);
  });

  test("of one run is not what another used before", async () => {
    const half = `export default () => { globalThis.kept = new Uint8Array(40 << 20).fill(1); return kept.length; };`;
    for (let i = 0; i < 3; i++) {
      const result = await run({ code: half, tenant: "frugal", caps: { memoryMb: 64 } });
      expect(value(result)).toBe(40 << 20);
    }
  });
});

describe("the output limit", () => {
  const print = `export default (n) => { for (let i = 0; i < n; i++) console[i % 2 ? "error" : "log"](String(i).padStart(9, "0")); return "done"; };`;

  test("lets what is under it be", async () => {
    const result = await run({ code: print, input: 100, caps: { outputBytes: 1000 } });
    expect(result).toMatchObject({ outcome: "ok", truncated: null });
    expect(result.stdout).toHaveLength(500);
    expect(result.stderr).toHaveLength(500);
  });

  test("keeps head and tail of what is over it, counts the rest, and the run goes on", async () => {
    const result = await run({ code: print, input: 1000, caps: { outputBytes: 1000 } });
    expect(value(result)).toBe("done");
    expect(result.stdout.startsWith("000000000\n000000002\n")).toBe(true);
    expect(result.stderr.startsWith("000000001\n")).toBe(true);
    expect(result.stderr.endsWith("000000999\n")).toBe(true);
    expect(Buffer.byteLength(result.stdout) + Buffer.byteLength(result.stderr)).toBeLessThanOrEqual(
      1000,
    );
    const { stdoutBytes, stderrBytes } = result.truncated!;
    const kept = result.console.reduce((sum, { text }) => sum + text.length + 1, 0);
    expect(kept + stdoutBytes + stderrBytes).toBe(10_000);
  });

  test("may be set higher", async () => {
    const result = await run({ code: print, input: 1000, caps: { outputBytes: 10_000 } });
    expect(result.truncated).toBeNull();
    expect(result.stdout.length + result.stderr.length).toBe(10_000);
  });

  test("counts bytes, not characters, and cuts none in half", async () => {
    const result = await run({
      code: `for (let i = 0; i < 100; i++) console.log("€".repeat(20));`,
      caps: { outputBytes: 1000 },
    });
    expect(Buffer.byteLength(result.stdout)).toBeLessThanOrEqual(1000);
    expect(result.stdout).not.toContain("\ufffd");
  });

  test("holds for one line as well, and for lines of nothing", async () => {
    const long = await run({ code: `console.log("x".repeat(1e6));`, caps: { outputBytes: 1000 } });
    expect(long.stdout.length).toBeLessThanOrEqual(1000);
    expect(long.truncated!.stdoutBytes).toBeGreaterThan(990_000);
    const empty = await run({
      code: `for (let i = 0; i < 1e5; i++) console.log("");`,
      caps: { outputBytes: 1000, wallMs: 10_000, cpuMs: 10_000 },
    });
    expect(empty.stdout.length).toBeLessThanOrEqual(1000);
    expect(empty.console.length).toBeLessThanOrEqual(1000);
  });
});

describe("the result's limit", () => {
  const make = `export default (n) => "x".repeat(n);`;

  test("lets what is under it be, refuses what is over, and may be set higher", async () => {
    expect(value(await run({ code: make, input: 998, caps: { resultBytes: 1000 } }))).toHaveLength(
      998,
    );
    expect(await run({ code: make, input: 999, caps: { resultBytes: 1000 } })).toMatchObject({
      outcome: "output_limit",
      valueJson: null,
      encoding: null,
    });
    expect(value(await run({ code: make, input: 999, caps: { resultBytes: 1001 } }))).toHaveLength(
      999,
    );
  });

  test.each([
    ["bytes", "new Uint8Array(1e6)"],
    [
      "a list without end",
      "new Proxy([], { get: (_, key) => key === 'length' ? 2 ** 32 - 1 : 1 })",
    ],
    [
      "keys without end",
      "new Proxy({}, { ownKeys: () => Array.from({ length: 1e5 }, (_, i) => 'k' + i), getOwnPropertyDescriptor: () => ({ enumerable: true, configurable: true, value: 1 }), get: () => 1 })",
    ],
    ["text of many bytes", "'€'.repeat(50000)"],
    ["text of many escapes", "'\\u0000'.repeat(50000)"],
    ["a wide map", "new Map(Array.from({ length: 1e5 }, (_, i) => [i, i]))"],
  ])("refuses %s in time", async (_name, code) => {
    const result = await run({
      language: "javascript",
      code: `export default () => ${code};`,
      caps: { resultBytes: 100_000 },
    });
    expect(result.outcome).toBe("output_limit");
  });
});

describe("the limit of pending work", () => {
  const timers = `export default async (n) => { const all = []; for (let i = 0; i < n; i++) all.push(new Promise((done) => setTimeout(done, 20))); await Promise.all(all); return n; };`;

  test("lets what is under it be, fails what is over, and may be set higher", async () => {
    expect(value(await run({ code: timers, input: 10, caps: { pendingOps: 10 } }))).toBe(10);
    expect(await run({ code: timers, input: 11, caps: { pendingOps: 10 } })).toMatchObject({
      outcome: "failed",
      error: { message: expect.stringContaining("pending") as string },
    });
    expect(value(await run({ code: timers, input: 11, caps: { pendingOps: 11 } }))).toBe(11);
  });

  test("counts what is under way, not what is over", async () => {
    const code = `export default async () => { for (let i = 0; i < 30; i++) { await new Promise((done) => setTimeout(done)); clearTimeout(setTimeout(() => {}, 1000)); await crypto.subtle.digest("SHA-1", new Uint8Array(1)); } return "done"; };`;
    expect(value(await run({ code, caps: { pendingOps: 3 } }))).toBe("done");
  });
});
