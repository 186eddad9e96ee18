import { expect, describe, test } from "vitest";

import { isAlive, running } from "./process-tree.ts";
import { programs } from "./program.ts";

const { run, start, value, servicePid, neighbourIsWell, quiet } = programs();

const counter = `
  let module = 0;
  export default () => { globalThis.count = (globalThis.count ?? 0) + 1; Array.prototype.seen = (Array.prototype.seen ?? 0) + 1; return [++module, globalThis.count, [].seen]; };`;

/** Runs a loop for a tenant and gives the pid of the cage that was busy with it. */
async function cageOf(tenant: string): Promise<number> {
  const looping = start({
    code: "export default () => { for (;;); };",
    tenant,
    caps: { wallMs: 20_000, cpuMs: 20_000 },
  });
  const pid = await busyPid();
  looping.cancel();
  await looping.ended;
  await quiet();
  return pid;
}

async function busyPid(): Promise<number> {
  const counts = new Map<number, number>();
  let found = 0;
  await expect
    .poll(
      () => {
        for (const pid of running(servicePid())) counts.set(pid, (counts.get(pid) ?? 0) + 1);
        // Others are seen on a core now and then, a loop is each time.
        found = [...counts].find(([, count]) => count >= 10)?.[0] ?? 0;
        return found;
      },
      { timeout: 10_000 },
    )
    .toBeGreaterThan(0);
  return found;
}

describe("state", () => {
  test.each(["run", "tenant"] as const)(
    "never stays from one run to the next in %s mode",
    async (isolation) => {
      for (let i = 0; i < 4; i++) {
        const result = await run({
          language: "javascript",
          code: counter,
          isolation,
          tenant: "stateful",
        });
        expect(value(result)).toEqual([1, 1, 1]);
      }
    },
  );

  test("stays in warm mode, for the same code and its tenant only", async () => {
    const warm = (tenant: string, code = counter, env = {}) =>
      run({ language: "javascript", code, isolation: "warm", tenant, env });
    const counts: unknown[] = [];
    for (let i = 0; i < 5; i++) counts.push((value(await warm("warm-a")) as number[])[0]);
    // An instance may be replaced at any time, so it may begin again, but some run found its own.
    expect(Math.max(...(counts as number[]))).toBeGreaterThan(1);
    expect(value(await warm("warm-b"))).toEqual([1, 1, 1]);
    expect(value(await warm("warm-a", `${counter}//`))).toEqual([1, 1, 1]);
    expect(value(await warm("warm-a", counter, { K: "v" }))).toEqual([1, 1, 1]);
    expect(value(await run({ language: "javascript", code: counter, tenant: "warm-a" }))).toEqual([
      1, 1, 1,
    ]);
  });

  test("of a warm instance is gone after a run that did not end well", async () => {
    const code = `const id = crypto.randomUUID(); export default (mode) => { console.log(id); if (mode === "loop") for (;;); };`;
    const warm = (input: string) =>
      run({ code, input, isolation: "warm", tenant: "warm-c", caps: { cpuMs: 200 } });
    await warm("end");
    const looped = await warm("loop");
    expect(looped).toMatchObject({
      outcome: "cpu_timeout",
      stdout: expect.stringMatching(/^[0-9a-f-]{36}\n$/) as string,
    });
    for (let i = 0; i < 4; i++) expect((await warm("end")).stdout).not.toBe(looped.stdout);
  });

  test("of a warm instance does not reach the next run by timers, fetches or a held context", async () => {
    const code = `
      let held; const log = [];
      export default async (_input, ctx) => {
        const before = [...log]; held?.signal.aborted && before.push("aborted"); held = ctx;
        setTimeout(() => { log.push("leaked"); console.log("leaked"); }, 1); setInterval(() => console.log("leaked"), 1);
        return before;
      };`;
    for (let i = 0; i < 4; i++) {
      const result = await run({
        language: "javascript",
        code,
        isolation: "warm",
        tenant: "warm-d",
      });
      expect(JSON.stringify(value(result))).not.toContain("leaked");
      expect(result.stdout).toBe("");
    }
  });

  test("damage to the realm does not reach the tenant's next run", async () => {
    const damage = `
      for (const name of Object.getOwnPropertyNames(globalThis)) try { delete globalThis[name]; } catch {}
      const { prototype } = (() => {}).constructor; for (const name of ["call", "apply", "bind"]) prototype[name] = null;
      Object.prototype.toString = null; Array.prototype.push = null; Promise.prototype.then = null; [].__proto__[Symbol.iterator] = null;
      export default 1;`;
    for (const isolation of ["tenant", "run"] as const) {
      await run({ language: "javascript", code: damage, isolation, tenant: "vandal" });
      const after = await run({
        code: `export default async () => { const list = [...[1, 2]]; list.push(await Promise.resolve(3)); return [list, typeof setTimeout, new URL("http://a/").href]; };`,
        isolation,
        tenant: "vandal",
      });
      expect(value(after)).toEqual([[1, 2, 3], "function", "http://a/"]);
    }
  });
});

describe("a cage", () => {
  test("never serves two tenants", async () => {
    const pids = new Map<string, Set<number>>();
    for (const tenant of ["cage-a", "cage-b", "cage-c", "cage-a", "cage-b", "cage-c"]) {
      const own = pids.get(tenant) ?? new Set();
      pids.set(tenant, own.add(await cageOf(tenant)));
    }
    const all = [...pids.values()].flatMap((own) => [...own]);
    expect(new Set(all).size).toBe(all.length);
  });

  test("killed in the middle of a run loses that run alone", async () => {
    const pid = servicePid();
    const looping = start({
      code: "export default () => { for (;;); };",
      tenant: "unlucky",
      caps: { wallMs: 20_000, cpuMs: 20_000 },
    });
    const cage = await busyPid();
    process.kill(cage, "SIGKILL");
    expect(await looping.ended).toMatchObject({ end: { outcome: "infra_lost" } });
    expect(isAlive(cage)).toBe(false);
    expect(value(await run({ code: "export default 1;", tenant: "unlucky" }))).toBe(1);
    await neighbourIsWell();
    expect(isAlive(pid)).toBe(true);
  });

  test("is freed of a run whose caller has gone", async () => {
    const looping = start({
      code: "export default () => { for (;;); };",
      tenant: "leaver",
      caps: { wallMs: 20_000, cpuMs: 20_000 },
    });
    await busyPid();
    looping.cancel();
    await looping.ended;
    await quiet();
    expect(value(await run({ code: "export default 1;", tenant: "leaver" }))).toBe(1);
  });
});
