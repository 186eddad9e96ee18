import { describe, expect, it } from "vitest";

import {
  AGEING_STEP_MS,
  rankOf,
  type Waiting,
  WaitingLine,
} from "../../../durable-objects/queue/waiting-line.ts";
import { seeded } from "./random.ts";

let seq = 0;
const job = (id: string, changes: Partial<Waiting> = {}): Waiting => ({
  id,
  rank: rankOf(0, 5),
  seq: ++seq,
  eligibleAt: 0,
  ...changes,
});

const order = (line: WaitingLine, now: number): readonly string[] =>
  Array.from({ length: line.eligible(now) }, (_, place) => line.at(place, now)?.id ?? "");

describe("the order of a line", () => {
  it("is first in, first out among jobs of one priority", () => {
    const line = new WaitingLine();
    for (const id of ["a", "b", "c"]) line.add(job(id), 0);
    expect(order(line, 0)).toEqual(["a", "b", "c"]);
  });

  it("puts the higher priority first", () => {
    const line = new WaitingLine();
    line.add(job("low", { rank: rankOf(0, 0) }), 0);
    line.add(job("high", { rank: rankOf(0, 9) }), 0);
    expect(order(line, 0)).toEqual(["high", "low"]);
  });

  it.each([
    ["just under", AGEING_STEP_MS - 1, ["urgent", "old"]],
    ["just over", AGEING_STEP_MS + 1, ["old", "urgent"]],
  ])("counts %s a step of waiting against one of priority", (_, later, expected) => {
    const line = new WaitingLine();
    line.add(job("old", { rank: rankOf(0, 4) }), 0);
    line.add(job("urgent", { rank: rankOf(later, 5) }), later);
    expect(order(line, later)).toEqual(expected);
  });

  it("passes over jobs whose time has not come, and puts them where they belong when it has", () => {
    const line = new WaitingLine();
    line.add(job("later", { eligibleAt: 100, rank: rankOf(0, 9) }), 0);
    line.add(job("now"), 0);
    expect(order(line, 99)).toEqual(["now"]);
    expect(line.nextEligibleAt(99)).toBe(100);
    expect(order(line, 100)).toEqual(["later", "now"]);
    expect(line.nextEligibleAt(100)).toBe(Infinity);
    expect(line.size).toBe(2);
  });
});

it.each([1, 2, 3, 4, 5])("agrees with a sorted list of what is there (seed %i)", (seed) => {
  const random = seeded(seed);
  const line = new WaitingLine();
  let model: Waiting[] = [];
  for (let now = 0; now < 400; now++) {
    if (random() < 0.6) {
      const added = job(`j${now}`, {
        rank: Math.floor(random() * 20),
        eligibleAt: random() < 0.3 ? now + Math.floor(random() * 30) : now,
      });
      line.add(added, now);
      model.push(added);
    }
    if (random() < 0.4 && model.length > 0) {
      const gone = model[Math.floor(random() * model.length)]!;
      line.remove(gone);
      model = model.filter((one) => one !== gone);
    }
    const ready = model
      .filter(({ eligibleAt }) => eligibleAt <= now)
      .toSorted((a, b) => a.rank - b.rank || a.seq - b.seq);
    expect(order(line, now)).toEqual(ready.map(({ id }) => id));
    expect(line.size).toBe(model.length);
    for (const [place, one] of ready.entries()) expect(line.position(one, now)).toBe(place + 1);
  }
});
