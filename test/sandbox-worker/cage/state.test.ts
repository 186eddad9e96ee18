import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { CageFixture, valueOf, type RunParts } from "./cage-process.ts";

const fixture = new CageFixture();
beforeAll(() => fixture.open());
afterAll(() => fixture.close());

const LEAVE = `
  import { counter } from "./counter.ts";
  globalThis.left = "something";
  Object.prototype.left = "in the prototype";
  Array.prototype.map = () => "not map";
  JSON.stringify = () => '"not stringify"';
  Promise.prototype.then = function () {};
  console.log = () => {};
  counter.n++;
  export default () => counter.n;`;

const LOOK = `
  import { counter } from "./counter.ts";
  console.log("said");
  counter.n++;
  export default () => [typeof globalThis.left, typeof {}.left, [1].map((n) => n + 1), counter.n];`;

const modules = { "counter.ts": "export const counter = { n: 0 };" };

describe("state", () => {
  it.each(["run", "tenant"] as const)("never outlives a run in %s isolation", async (isolation) => {
    const parts: RunParts = { isolation, modules };
    await fixture.run(LEAVE, parts);
    for (let i = 0; i < 3; i++) {
      const end = await fixture.run(LOOK, parts);
      expect(valueOf(end)).toEqual(["undefined", "undefined", [2], 1]);
      expect(end.stdout).toBe("said\n");
    }
  });

  it("of a run holds no memory of the next one's", async () => {
    const code = "export default () => (globalThis.kept = new Uint8Array(40 << 20).fill(1)).length";
    for (const isolation of ["run", "tenant"] as const) {
      for (let i = 0; i < 3; i++) {
        expect(valueOf(await fixture.run(code, { isolation }))).toBe(40 << 20);
      }
    }
  });

  it("of a warm instance is kept for the same program, and for no other", async () => {
    const code = "let n = 0; export default () => ++n";
    const warm = (parts: RunParts = {}, source = code) =>
      fixture.run(source, { isolation: "warm", ...parts }).then(valueOf);
    expect(await warm()).toBe(1);
    expect(await warm()).toBe(2);
    expect(await warm({}, `${code};`)).toBe(1);
    expect(await warm({ env: { A: "1" } })).toBe(1);
    expect(await warm({ net: ["example.com"] })).toBe(1);
    expect(await warm({ caps: { wallMs: 4_000 } })).toBe(1);
    expect(await warm({ modules: { "unused.ts": "" } })).toBe(1);
    expect(await warm({ input: 5 })).toBe(3);
  });

  it("of a warm instance survives a failure, but no overrun", async () => {
    const code = `let n = 0; export default (what: string) => {
      n++;
      if (what === "throw") throw new Error("asked to");
      if (what === "hang") for (;;);
      return n;
    }`;
    const warm = (input: string) =>
      fixture.run(code, { isolation: "warm", input, caps: { wallMs: 1_000 } });
    expect(valueOf(await warm(""))).toBe(1);
    expect((await warm("throw")).outcome).toBe("failed");
    expect(valueOf(await warm(""))).toBe(3);
    expect((await warm("hang")).outcome).toBe("wall_timeout");
    expect(valueOf(await warm(""))).toBe(1);
  });

  it("of the least used warm instance goes when there are too many", async () => {
    const warm = (n: number) =>
      fixture.run(`const unique = "lru ${n}"; let n = 0; export default () => ++n`, {
        isolation: "warm",
      });
    for (let n = 1; n <= 9; n++) expect(valueOf(await warm(n))).toBe(1);
    expect(valueOf(await warm(9))).toBe(2);
    expect(valueOf(await warm(1))).toBe(1);
  });

  it("of a run that left a timer cannot act in the next", async () => {
    const code = `setInterval(() => console.log("from the past"), 1); export default 1`;
    for (const isolation of ["run", "tenant", "warm"] as const) {
      await fixture.run(code, { isolation });
      const next = await fixture.run(
        "await new Promise((done) => setTimeout(done, 20)); export default 2",
        { isolation },
      );
      expect(next.stdout).toBe("");
    }
  });

  it("of a warm instance answers only the run under way", async () => {
    const code = `let ticks = 0;
      export default async (what: string) => {
        if (what === "start") setInterval(() => ticks++, 1);
        await new Promise((done) => setTimeout(done, 10));
        return ticks;
      }`;
    const warm = (input: string) => fixture.run(code, { isolation: "warm", input });
    const first = valueOf(await warm("start")) as number;
    expect(first).toBeGreaterThan(0);
    // The instance left a timer behind, and is not kept.
    expect(valueOf(await warm("look"))).toBe(0);
  });
});
