import { describe, expect, it } from "vitest";

import {
  BACKLOG_ENOUGH,
  isWorthTelling,
  LaneOffers,
} from "../../../durable-objects/queue/lane-offers.ts";

const wanted = (backlog: number, waits = backlog > 0) => ({ backlog, waits, weight: 1 });
const view = { slotsTaken: 0, slots: 2, tenants: 1, usualMs: null };

describe("isWorthTelling()", () => {
  it.each([
    ["nothing, to a lane that was told nothing", undefined, wanted(0), false],
    ["a first job", undefined, wanted(1), true],
    [
      "jobs that wait for their time, so that the sweep finds them",
      undefined,
      wanted(0, true),
      true,
    ],
    ["what it was told", wanted(3), wanted(3), false],
    ["another job while it knows of few", wanted(3), wanted(4), true],
    ["more, once it knows of enough", wanted(BACKLOG_ENOUGH), wanted(BACKLOG_ENOUGH + 9), false],
    ["that there are few left", wanted(BACKLOG_ENOUGH + 9), wanted(1), true],
    ["that nothing is left", wanted(1), wanted(0), true],
    ["another weight", wanted(3), { ...wanted(3), weight: 2 }, true],
  ])("%s", (_, told, now, expected) => {
    expect(isWorthTelling(told, now)).toBe(expected);
  });
});

describe("LaneOffers", () => {
  it("makes each offer above the one before, also within a millisecond", () => {
    const offers = new LaneOffers("acme");
    const first = offers.make("container", wanted(1), 5);
    expect(offers.make("container", wanted(2), 5).version).toBe(first.version + 1);
  });

  it("tells again, above it, where the lane knows a later version than it ever made", () => {
    const offers = new LaneOffers("acme");
    offers.make("container", wanted(1), 5);
    offers.answered("container", { version: 900, view });
    expect(offers.isDue("container", wanted(1))).toBe(true);
    expect(offers.make("container", wanted(1), 6).version).toBe(901);
  });

  it("keeps quiet where its own later offer has overtaken the one that was answered", () => {
    const offers = new LaneOffers("acme");
    offers.make("container", wanted(1), 5);
    const { version } = offers.make("container", wanted(2), 5);
    offers.answered("container", { version, view });
    expect(offers.isDue("container", wanted(2))).toBe(false);
  });
});
