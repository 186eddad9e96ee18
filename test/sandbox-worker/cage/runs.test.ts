import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { Up } from "../../../sandbox-worker/frames.ts";
import { CageFixture, valueOf } from "./cage-process.ts";

const fixture = new CageFixture();
beforeAll(() => fixture.open());
afterAll(() => fixture.close());

const value = async (...args: Parameters<CageFixture["run"]>): Promise<unknown> =>
  valueOf(await fixture.run(...args));

describe("a run", () => {
  it("gives what the default export makes of the input", async () => {
    const code = "export default ({ a, b }: { a: number; b: number }) => a + b";
    expect(await value(code, { input: { a: 1, b: 2 } })).toBe(3);
  });

  it("says when it started, what it used, and that the cage can go on", async () => {
    const cage = await fixture.cage();
    // Longer than a tick of the scheduler, which is as finely as kernels count a thread's time.
    cage.start("const end = Date.now() + 50; while (Date.now() < end); export default 1");
    const ended = await cage.ended();
    await cage.ready();
    expect(ended).toMatchObject({
      how: "result",
      frames: [{ kind: Up.started }],
      end: { outcome: "ok", started: true, error: null, truncated: null, reusable: true },
    });
    if (ended.how !== "result") return;
    expect(ended.end.wallMs).toBeGreaterThan(0);
    expect(ended.end.cpuMs).toBeGreaterThan(0);
    expect(ended.end.memoryPeakBytes).toBeGreaterThan(100_000);
  });

  it("takes enums, namespaces, parameter properties and type-only imports", async () => {
    const code = `
      import { Shape } from "./shape.ts";
      enum Color { Red = 3, Green }
      namespace Names { export const green = "green" }
      class Point { constructor(readonly x: number, private y = 2) {} sum() { return this.x + this.y } }
      export default (): Shape => ({ color: Color.Green, name: Names.green, sum: new Point(1).sum() });`;
    const modules = {
      "shape.ts": "export interface Shape { color: number; name: string; sum: number }",
    };
    expect(await value(code, { modules })).toEqual({ color: 4, name: "green", sum: 3 });
  });

  it("waits for top-level await, timers and promises", async () => {
    const code = `
      const first = await new Promise<number>((resolve) => setTimeout(() => resolve(1), 2));
      export default async () => {
        await new Promise((resolve) => setTimeout(resolve, 2));
        return first + 1;
      };`;
    expect(await value(code)).toBe(2);
  });

  it("keeps what it said in order, with its stream and time", async () => {
    const code = 'console.log("a"); console.error("b"); console.info("c", 1); export default 1';
    const { stdout, stderr, console } = await fixture.run(code);
    expect({ stdout, stderr }).toEqual({ stdout: "a\nc 1\n", stderr: "b\n" });
    expect(console.map(({ level, stream, text }) => [level, stream, text])).toEqual([
      ["log", "stdout", "a"],
      ["error", "stderr", "b"],
      ["info", "stdout", "c 1"],
    ]);
  });

  it("sends its lines at once where it streams", async () => {
    const cage = await fixture.cage();
    cage.start(
      'console.log("first"); await new Promise((done) => setTimeout(done, 1)); console.warn("second")',
      { stream: true },
    );
    const ended = await cage.ended();
    await cage.ready();
    if (ended.how !== "result") throw new Error("died");
    expect(ended.frames.map(({ kind }) => kind)).toEqual([Up.started, Up.console, Up.console]);
    expect(JSON.parse(ended.frames[1]!.payload.toString())).toMatchObject({ text: "first" });
    expect(JSON.parse(ended.frames[2]!.payload.toString())).toMatchObject({ stream: "stderr" });
  });

  it("has the environment and the request that were sent", async () => {
    const code = `export default { async fetch(request) {
      return new Response(request.method + " " + (await request.text()) + " " + Deno.env.get("KEY"));
    } }`;
    const end = await fixture.run(code, {
      env: { KEY: "of mine" },
      request: { method: "POST", url: "http://localhost/x", headers: {}, body: "hello" },
    });
    expect(end.outcome).toBe("ok");
    expect(end.valueJson).toContain("POST hello of mine");
  });

  it("fails by a rejection that nobody took, unless a listener prevents it", async () => {
    const reject = `const lost = async () => { throw new RangeError("lost"); };
      export default async () => { void lost(); await new Promise((done) => setTimeout(done, 20)); return "late"; };`;
    expect(await fixture.run(reject)).toMatchObject({
      outcome: "failed",
      error: {
        name: "RangeError",
        message: "lost",
        stack: expect.stringContaining("main.ts:1:34"),
      },
    });
    const listen = `addEventListener("unhandledrejection", (event) => {
        event.preventDefault();
        console.log(event.reason.name, event.reason.message);
      });`;
    const heard = await fixture.run(`${listen}\n${reject}`);
    expect(valueOf(heard)).toBe("late");
    expect(heard.stdout).toBe("RangeError lost\n");
  });

  it("says what was rejected after its result", async () => {
    const end = await fixture.run(
      'export default async () => { void Promise.reject("only text"); return 1; }',
    );
    expect(valueOf(end)).toBe(1);
    expect(end.stderr).toContain("only text");
  });

  it("knows the versions that it runs on", async () => {
    expect(await value("export default Deno.version")).toMatchObject({ v8: process.versions.v8 });
  });

  it("serves ten runs one after another in one process, of every isolation", async () => {
    const cage = await fixture.cage();
    for (let i = 0; i < 10; i++) {
      const isolation = (["run", "tenant", "warm"] as const)[i % 3]!;
      const end = await cage.run("export default (n: number) => n * 2", { input: i, isolation });
      expect(valueOf(end)).toBe(i * 2);
    }
  });

  it("has the memory that it asks for, also where that is another than before", async () => {
    const code = "export default () => new Uint8Array(80 * 1024 * 1024).length";
    for (const isolation of ["run", "tenant", "warm"] as const) {
      const small = await fixture.run(code, { isolation });
      expect(small.outcome).toBe("memory_limit");
      expect(await value(code, { isolation, caps: { memoryMb: 128 } })).toBe(80 * 1024 * 1024);
    }
  });
});

describe("what a run's isolate has not", () => {
  it.each([
    "SharedArrayBuffer",
    "Atomics",
    "WebAssembly",
    "process",
    "require",
    "__bulkhead_entry",
  ])("%s", async (name) => {
    expect(await value(`export default typeof globalThis.${name}`)).toBe("undefined");
  });

  it("anything of the host's on its global object", async () => {
    const code =
      "export default Object.getOwnPropertyNames(globalThis).filter((n) => /^_|bulk/.test(n))";
    expect(await value(code)).toEqual([]);
  });
});
