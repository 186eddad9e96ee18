import { describe, expect, test } from "vitest";

import { arrivals, type Contender, runLoad } from "../../bench/load/load.ts";

describe("arrivals of an open loop", () => {
  test("are the same for the same seed and others for another", () => {
    expect(arrivals(100, 5, 7)).toEqual(arrivals(100, 5, 7));
    expect(arrivals(100, 5, 7)).not.toEqual(arrivals(100, 5, 8));
  });

  test("come in order, within the time, at about the rate asked for", () => {
    const times = arrivals(100, 100, 7);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(times.at(-1)).toBeLessThan(100_000);
    expect(times.length).toBeGreaterThan(9_500);
    expect(times.length).toBeLessThan(10_500);
  });
});

/** Answers each call with its turn, and notes how many are under way at most. */
class Echo implements Contender<number> {
  most = 0;
  readonly turns: number[] = [];
  #underWay = 0;

  async call(turn: number): Promise<number> {
    this.most = Math.max(this.most, ++this.#underWay);
    await new Promise((resolve) => setImmediate(resolve));
    this.#underWay--;
    return turn;
  }

  check(turn: number) {
    this.turns.push(turn);
    return { turn };
  }
}

describe("a load", () => {
  test("that is closed keeps all its callers busy and no more", async () => {
    const echo = new Echo();
    const samples = await runLoad({ kind: "closed", callers: 4, seconds: 0.02 }, echo, 0);
    expect(echo.most).toBe(4);
    expect(samples.latencyMs.length).toBe(echo.turns.length);
    expect(samples.spans["turn"]?.length).toBe(echo.turns.length);
    expect(samples.spans["restMs"]?.length).toBe(echo.turns.length);
  });

  test("that is open sends every arrival, waiting for no answer", async () => {
    const load = { kind: "open", perSecond: 2000, seconds: 0.05, seed: 3 } as const;
    const samples = await runLoad(load, new Echo(), 0);
    expect(samples.latencyMs.length).toBe(arrivals(2000, 0.05, 3).length);
  });

  test("gives no turn twice, also over several loads", async () => {
    const echo = new Echo();
    await runLoad({ kind: "closed", callers: 2, seconds: 0 }, echo, 10);
    expect(echo.turns).toEqual([10, 11]);
  });

  test.each([
    { kind: "closed", callers: 2, seconds: 0.01 } as const,
    { kind: "open", perSecond: 1000, seconds: 0.01, seed: 1 } as const,
  ])("of the kind $kind is no measurement when an answer is wrong", async (load) => {
    const wrong: Contender<null> = {
      call: () => Promise.resolve(null),
      check: () => {
        throw new Error("Cannot use an answer: it is wrong");
      },
    };
    await expect(runLoad(load, wrong, 0)).rejects.toThrow("it is wrong");
  });
});
