import { expect, it } from "vitest";

import { queueAnswer } from "../../gateway/jobs/queue-answer.ts";
import { QueueAnswer } from "../../protocol/job.ts";

const state = {
  slotsTaken: 3,
  slots: 4,
  backlog: 9,
  usualMs: 5,
  executors: [],
  recommendedConcurrency: 6,
  canIncreaseConcurrency: true,
};

it("sums a tenant's lanes, and tells of others only how full each lane is", () => {
  const lanes = { container: { running: 1, queued: 2 }, isolate: { running: 2, queued: 0 } };
  const answer = queueAnswer({ lanes, maxConcurrency: 32 }, { container: state });
  expect(QueueAnswer.parse(answer)).toEqual({
    running: 3,
    queued: 2,
    maxConcurrency: 32,
    utilizationPercent: 9.4,
    lanes: {
      container: {
        running: 1,
        queued: 2,
        slotsTaken: 3,
        maxConcurrency: 4,
        utilizationPercent: 75,
        recommendedConcurrency: 6,
        canIncreaseConcurrency: true,
      },
    },
  });
});

it.each([
  [0, null, 0],
  [5, null, 0],
  [0, 0, 100],
  [1, 1, 100],
  [1, 3, 33.3],
])("%i of %s slots are %d percent", (slotsTaken, slots, percent) => {
  const view = { lanes: {}, maxConcurrency: null };
  const answer = queueAnswer(view, { container: { ...state, slotsTaken, slots } });
  expect(answer.lanes["container"]?.utilizationPercent).toBe(percent);
  expect(answer).toMatchObject({ running: 0, queued: 0, utilizationPercent: 0 });
});
