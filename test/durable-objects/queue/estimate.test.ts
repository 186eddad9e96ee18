import { expect, it } from "vitest";

import { estimateWaitMs } from "../../../durable-objects/queue/estimate.ts";

const view = { slotsTaken: 4, slots: 4, tenants: 1, usualMs: 100 };
const facts = { position: 1, running: 0, maxConcurrent: 32, untilEligibleMs: 0 };

it.each([
  ["nothing to judge by, where the lane was never heard of", facts, undefined, null],
  ["nothing to judge by, where no job has ended", facts, { ...view, usualMs: null }, null],
  ["no wait where a slot is free", facts, { ...view, slotsTaken: 3 }, 0],
  [
    "its own time where a slot is free",
    { ...facts, untilEligibleMs: 7 },
    { ...view, slotsTaken: 0 },
    7,
  ],
  ["one job's time for the first in line", facts, view, 100],
  ["a turn for each row of slots before it", { ...facts, position: 9 }, view, 300],
  [
    "fewer slots where other tenants have work",
    { ...facts, position: 4 },
    { ...view, tenants: 4 },
    400,
  ],
  [
    "its tenant's own cap",
    { ...facts, position: 4, running: 2, maxConcurrent: 2 },
    { ...view, slotsTaken: 2 },
    200,
  ],
  ["no wait where slots are unlimited", facts, { ...view, slots: null }, 0],
])("estimates %s", (_, wait, seen, expected) => {
  expect(estimateWaitMs(wait, seen)).toBe(expected);
});
