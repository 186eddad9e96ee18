import { describe, expect, it } from "vitest";

import { FairShare, type Turn } from "../../../durable-objects/lane/fair-share.ts";
import { seeded } from "../queue/random.ts";

/** The order in which tenants get `count` turns, each settled at once with its tenant's cost. */
function turns(
  fair: FairShare,
  count: number,
  costOf: (tenant: string) => number,
): readonly string[] {
  return Array.from({ length: count }, () => {
    const turn = fair.next();
    if (turn === undefined) return "";
    fair.settle(turn, costOf(turn.tenant));
    return turn.tenant;
  });
}

describe("FairShare", () => {
  it("has no turn for nobody", () => {
    const fair = new FairShare();
    expect(fair.next()).toBeUndefined();
    fair.offer("a", 1, 1);
    expect(fair.next()).toMatchObject({ tenant: "a" });
    expect(fair.next()).toBeUndefined();
  });

  it("gives equal tenants turns of one job each", () => {
    const fair = new FairShare();
    for (const tenant of ["a", "b", "c"]) fair.offer(tenant, 9, 1);
    expect(turns(fair, 6, () => 100)).toEqual(["a", "b", "c", "a", "b", "c"]);
  });

  it("lets a single job wait for no more than one turn of who has a thousand", () => {
    const fair = new FairShare();
    fair.offer("many", 1_000, 1);
    turns(fair, 37, () => 100);
    fair.offer("single", 1, 1);
    expect(turns(fair, 2, () => 100)).toContain("single");
    turns(fair, 11, () => 100);
    fair.offer("single", 1, 1);
    expect(turns(fair, 2, () => 100)).toContain("single");
  });

  it("takes slot time for what is shared: who runs long gets fewer turns", () => {
    const fair = new FairShare();
    fair.offer("long", 10_000, 1);
    fair.offer("short", 10_000, 1);
    const got = turns(fair, 2_200, (tenant) => (tenant === "long" ? 1_000 : 100));
    const long = got.filter((tenant) => tenant === "long").length;
    expect(long).toBeGreaterThan(180);
    expect(long).toBeLessThan(220);
  });

  it("gives a turn that started nothing back", () => {
    const fair = new FairShare();
    fair.offer("a", 10, 1);
    fair.offer("b", 10, 1);
    for (let i = 0; i < 3; i++) {
      const turn = fair.next();
      if (turn?.tenant === "a") fair.giveBack(turn);
    }
    expect(fair.backlog).toBe(17);
  });
});

describe.each([1, 2, 3, 4, 5, 6, 7, 8])("with any tenants, costs and slots (seed %i)", (seed) => {
  const random = seeded(seed);
  const count = 2 + Math.floor(random() * 6);
  const tenants = Array.from({ length: count }, (_, index) => ({
    name: `t${index}`,
    weight: 1 + Math.floor(random() * 4),
    costMs: 10 ** (1 + random() * 3),
  }));
  const slots = 1 + Math.floor(random() * 4);
  const costOf = (name: string) => tenants.find((tenant) => tenant.name === name)!.costMs;

  /** Runs jobs on `slots` slots, each as long as it costs. */
  function* simulate(fair: FairShare, untilMs: number): Generator<Turn> {
    let running: { turn: Turn; endsAt: number; costMs: number }[] = [];
    for (let now = 0; now < untilMs;) {
      while (running.length < slots) {
        const turn = fair.next();
        if (turn === undefined) break;
        const costMs = costOf(turn.tenant) * (0.5 + random());
        running.push({ turn, endsAt: now + costMs, costMs });
        yield turn;
      }
      now = Math.min(...running.map(({ endsAt }) => endsAt));
      for (const { turn, endsAt, costMs } of running) if (endsAt <= now) fair.settle(turn, costMs);
      running = running.filter(({ endsAt }) => endsAt > now);
    }
  }

  it("slot time follows the weights in the long run", () => {
    const fair = new FairShare();
    for (const { name, weight } of tenants) fair.offer(name, 1_000_000, weight);
    const used = new Map<string, number>();
    const settle = fair.settle.bind(fair);
    fair.settle = (turn, costMs) => {
      used.set(turn.tenant, (used.get(turn.tenant) ?? 0) + costMs);
      settle(turn, costMs);
    };
    for (const _ of simulate(fair, 4_000_000));
    const weights = tenants.reduce((sum, { weight }) => sum + weight, 0);
    const total = [...used.values()].reduce((sum, ms) => sum + ms, 0);
    for (const { name, weight } of tenants) {
      const ofFair = (used.get(name) ?? 0) / total / (weight / weights);
      expect({ name, isFair: ofFair > 0.9 && ofFair < 1.1, ofFair }).toMatchObject({
        isFair: true,
      });
    }
  });

  it("nobody with work is passed over for longer than a round", () => {
    const fair = new FairShare();
    for (const { name, weight } of tenants) fair.offer(name, 1_000_000, weight);
    const passedOver = new Map<string, number>(tenants.map(({ name }) => [name, 0]));
    // A round gives each what its deepest debtor owes, so others have at most so many turns in it.
    const dearest = Math.max(...tenants.map(({ costMs }) => costMs)) * 1.5 * slots;
    const most = tenants.reduce(
      (sum, { weight, costMs }) => sum + 2 + (dearest * weight) / (costMs * 0.5),
      0,
    );
    for (const { tenant } of simulate(fair, 400_000)) {
      for (const { name } of tenants) {
        const before = passedOver.get(name) ?? 0;
        passedOver.set(name, name === tenant ? 0 : before + 1);
        expect(before).toBeLessThanOrEqual(2 * most);
      }
    }
  });

  it("who comes with a single job gets a slot after at most one turn of each other", () => {
    const fair = new FairShare();
    for (const { name, weight } of tenants) fair.offer(name, 1_000_000, weight);
    const waits: number[] = [];
    let waited: number | undefined;
    let turnsTaken = 0;
    for (const { tenant } of simulate(fair, 200_000)) {
      turnsTaken++;
      if (tenant === "single") {
        waits.push(waited ?? 0);
        waited = undefined;
      } else if (waited !== undefined) {
        waited++;
      } else if (turnsTaken % 50 === 0) {
        tenants.push({ name: "single", weight: 1, costMs: 20 });
        fair.offer("single", 1, 1);
        waited = 0;
      }
    }
    expect(Math.max(0, ...waits)).toBeLessThanOrEqual(count);
    tenants.splice(count);
  });
});
