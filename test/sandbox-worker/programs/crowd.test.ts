import { expect, test } from "vitest";

import { FLOODS } from "./hostile/floods.ts";
import { GREEDY } from "./hostile/greedy.ts";
import { UNINTERRUPTIBLE } from "./hostile/uninterruptible.ts";
import { programs } from "./program.ts";

const { run, value, servicePid, quiet } = programs();

const named = (name: string) => {
  const found = [...UNINTERRUPTIBLE, ...GREEDY, ...FLOODS].find((program) => program.name === name);
  if (found === undefined) throw new Error(`no hostile program is named "${name}"`);
  return found;
};

/** One of each kind that has been seen to stop a host. */
const CROWD = [
  "indexOf on a huge array-like",
  "fill of a thousand million",
  "symbols without end",
  "many resizable buffers",
  "console lines of ten kilobytes",
  "microtasks that double",
  "a derivation of two thousand million rounds",
  "a regular expression that tries everything",
].map(named);

test(
  "eight hostile tenants at once cost a well-behaved one nothing but time",
  { timeout: 120_000 },
  async () => {
    const pid = servicePid();
    let over = false;
    const ended: string[] = [];
    const hostile = CROWD.map(async ({ name, code, ends }, i) => {
      for (let round = 0; round < 2; round++) {
        const result = await run({
          language: "javascript",
          code,
          tenant: `crowd-${i}`,
          caps: { wallMs: 1000, cpuMs: 500, memoryMb: 32 },
        });
        ended.push(...(ends.includes(result.outcome) ? [] : [`${name}: ${result.outcome}`]));
      }
    });
    const wellBehaved = (async () => {
      const answers: unknown[] = [];
      while (!over) {
        const n = answers.length;
        const result = await run({
          code: "export default async (n) => { await null; return [n, typeof globalThis.seen, (globalThis.seen = n)]; };",
          input: n,
          tenant: "calm",
          caps: { wallMs: 30_000 },
        });
        answers.push(value(result));
      }
      return answers;
    })();
    await Promise.all(hostile).finally(() => (over = true));
    const answers = await wellBehaved;
    expect(ended).toEqual([]);
    expect(answers.length).toBeGreaterThan(5);
    expect(answers).toEqual(answers.map((_, n) => [n, "undefined", n]));
    expect(servicePid()).toBe(pid);
    await quiet();
  },
);
