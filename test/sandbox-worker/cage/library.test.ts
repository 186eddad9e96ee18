import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { CageFixture, outcomeOf, valueOf } from "./cage-process.ts";

const fixture = new CageFixture();
beforeAll(() => fixture.open());
afterAll(() => fixture.close());

const URL_PARTS = `const { host, pathname } = new URL("https://a.example/b");`;

describe("the runtime's library", () => {
  test.each(["run", "tenant", "warm"] as const)(
    "is there in the first run that asks for it, and in the next ones, isolation %s",
    async (isolation) => {
      const code = `export default () => { ${URL_PARTS} return host + pathname; };`;
      const plain = `export default () => typeof URL;`;
      const values: unknown[] = [];
      for (const program of [code, code, plain, plain, code]) {
        values.push(valueOf(await fixture.run(program, { isolation })));
      }
      expect(values).toEqual(["a.example/b", "a.example/b", "function", "function", "a.example/b"]);
    },
  );

  test("asked for at the stack's very end costs that run at most", async () => {
    const code = `export default () => {
      const dig = () => {
        try { dig(); } catch (error) {
          new URL("https://a.example/");
          throw error;
        }
      };
      dig();
    };`;
    const { outcome, error } = await fixture.run(code);
    expect([outcome, error?.name]).toEqual(["failed", "RangeError"]);
    const next = `export default () => { ${URL_PARTS} return host; };`;
    expect(valueOf(await fixture.run(next))).toBe("a.example");
  });

  test("passes nothing of the runtime's by the global object", async () => {
    const code = `
      const before = Reflect.ownKeys(globalThis).length;
      export default () => { new URL("https://a.example/"); return Reflect.ownKeys(globalThis).length - before; };`;
    expect(valueOf(await fixture.run(code))).toBe(0);
  });

  test("costs the run's own time where the program made it loop", async () => {
    const code = `
      Object.defineProperty = () => { for (;;); };
      Object.getOwnPropertyNames = () => { for (;;); };
      export default () => new URL("https://a.example/").host;`;
    const ended = await fixture.runToAnyEnd(code, { caps: { wallMs: 300 } });
    expect(outcomeOf(ended)).toBe("wall_timeout");
    expect(valueOf(await fixture.run(`export default () => 1;`))).toBe(1);
  });
});
