import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { CageFixture, outcomeOf, valueOf, type RunParts } from "./cage-process.ts";

const fixture = new CageFixture();
beforeAll(() => fixture.open());
afterAll(() => fixture.close());

describe("wall time", () => {
  it.each([
    ["a loop", "export default () => { for (;;); }"],
    ["a loop at the top", "for (;;);"],
    ["a loop of microtasks", "export default async () => { for (;;) await null; }"],
    ["a loop of promises", "const f = () => Promise.resolve().then(f); export default () => f();"],
    [
      "a loop of timers",
      "export default () => new Promise(() => { const f = () => setTimeout(f); f(); });",
    ],
    ["an interval", "export default () => new Promise(() => setInterval(() => {}, 1));"],
    ["a long sleep", "export default () => new Promise((done) => setTimeout(done, 60_000));"],
    ["a promise that never settles", "export default () => new Promise(() => {});"],
    ["an await at the top that never ends", "await new Promise(() => {});"],
    ["a sleep at the top", "await new Promise((done) => setTimeout(done, 60_000));"],
    ["a regular expression", 'export default () => /^(a+)+$/.test("a".repeat(40) + "b");'],
    ["a getter of the result", "export default () => ({ get a() { for (;;); } });"],
    ["a toJSON of the result", "export default () => ({ toJSON() { for (;;); } });"],
    [
      "a getter of what is thrown",
      "export default () => { throw { get message() { for (;;); } }; };",
    ],
    ["a thenable", "export default () => ({ then() { for (;;); } });"],
    [
      "a loop after the result",
      "export default () => { queueMicrotask(() => { for (;;); }); return 1; };",
    ],
    [
      "a loop of calls to the host",
      "for (;;) { try { new URL('http://a/' + 'b'.repeat(1e4)); } catch {} }",
    ],
  ])("ends %s", async (_what, code) => {
    const parts: RunParts = { isolation: "tenant", caps: { wallMs: 150 } };
    expect(outcomeOf(await fixture.runToAnyEnd(code, parts))).toBe("wall_timeout");
    expect(valueOf(await fixture.run("export default 1", parts))).toBe(1);
  });

  it("lets through what is under it", async () => {
    const code = "await new Promise((done) => setTimeout(done, 20)); export default 1";
    expect(valueOf(await fixture.run(code, { caps: { wallMs: 4_000 } }))).toBe(1);
  });
});

describe("CPU time", () => {
  it("ends a loop that is over it, by the watchdog's word", async () => {
    const ended = await fixture.runToAnyEnd("export default () => { for (;;); }", {
      caps: { cpuMs: 100 },
    });
    expect(ended).toEqual({ how: "death", signal: "SIGKILL", word: "cpu_timeout\n" });
  });

  it("ends work in slices that is over it", async () => {
    const code = `const burn = (ms: number) => { const end = performance.now() + ms; while (performance.now() < end); };
      export default async () => { for (;;) { burn(5); await new Promise((done) => setTimeout(done)); } };`;
    const ended = await fixture.runToAnyEnd(code, { caps: { cpuMs: 60 } });
    expect(outcomeOf(ended)).toBe("cpu_timeout");
  });

  it("does not count waiting", async () => {
    const code = "await new Promise((done) => setTimeout(done, 200)); export default 1";
    const end = await fixture.run(code, { caps: { cpuMs: 150 } });
    expect(valueOf(end)).toBe(1);
    expect(end.cpuMs).toBeLessThan(150);
  });

  it("counts the threads that do crypto", async () => {
    const code = `const key = await crypto.subtle.importKey("raw", new Uint8Array(8), "PBKDF2", false, ["deriveBits"]);
      const one = () => crypto.subtle.deriveBits({ name: "PBKDF2", salt: new Uint8Array(8), iterations: 500_000, hash: "SHA-256" }, key, 256);
      export default async () => { for (;;) await Promise.all([one(), one(), one(), one()]); };`;
    const ended = await fixture.runToAnyEnd(code, { caps: { cpuMs: 200, wallMs: 10_000 } });
    expect(outcomeOf(ended)).toBe("cpu_timeout");
  });
});

describe("output", () => {
  it("over its cap keeps head and tail, and the run goes on", async () => {
    const code = "for (let i = 0; i < 10_000; i++) console.log('line ' + i); export default 1";
    const end = await fixture.run(code, { caps: { outputBytes: 2_000 } });
    expect(end.outcome).toBe("ok");
    expect(end.stdout.length).toBeLessThanOrEqual(2_000);
    expect(end.stdout).toMatch(/^line 0\n[^]*line 9999\n$/);
    expect(end.truncated?.stdoutBytes).toBeGreaterThan(90_000);
  });

  it("of a flood costs the run its time", async () => {
    const code = "const text = 'x'.repeat(1e6); for (;;) console.log(text);";
    const ended = await fixture.runToAnyEnd(code, { caps: { wallMs: 300 } });
    expect(outcomeOf(ended)).toBe("wall_timeout");
  });
});

describe("the result", () => {
  const code = "export default (n: number) => 'x'.repeat(n)";

  it("under its cap is given", async () => {
    const end = await fixture.run(code, { input: 998, caps: { resultBytes: 1_000 } });
    expect(valueOf(end)).toHaveLength(998);
  });

  it("over its cap ends the run as output_limit", async () => {
    const end = await fixture.run(code, { input: 999, caps: { resultBytes: 1_000 } });
    expect(end).toMatchObject({ outcome: "output_limit", valueJson: null });
  });

  it("is measured in bytes", async () => {
    const end = await fixture.run("export default 'é'.repeat(499)", {
      caps: { resultBytes: 1_000 },
    });
    expect(end.outcome).toBe("ok");
    const over = await fixture.run("export default 'é'.repeat(500)", {
      caps: { resultBytes: 1_000 },
    });
    expect(over.outcome).toBe("output_limit");
  });
});

describe("pending work", () => {
  const code = `export default (n: number) => { for (let i = 0; i < n; i++) setTimeout(() => {}, 1000); return 1; }`;

  it("is allowed up to its cap", async () => {
    expect(valueOf(await fixture.run(code, { input: 10, caps: { pendingOps: 10 } }))).toBe(1);
  });

  it("over its cap fails where it is asked for", async () => {
    const end = await fixture.run(code, { input: 11, caps: { pendingOps: 10 } });
    expect(end.outcome).toBe("failed");
  });
});

describe("an error's text", () => {
  it("is cut", async () => {
    const code = `const error = new Error("m".repeat(1e6)); error.name = "n".repeat(1e6); throw error;`;
    for (const source of [code, `export default () => { ${code} }`]) {
      const { error } = await fixture.run(source);
      expect(error?.name.length).toBeLessThanOrEqual(256);
      expect(error?.message.length).toBeLessThanOrEqual(2_000);
      expect(error?.stack?.length ?? 0).toBeLessThanOrEqual(8_000);
    }
  });
});
