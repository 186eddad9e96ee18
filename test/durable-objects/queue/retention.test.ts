import { expect, it } from "vitest";

import type { KeptJob } from "../../../durable-objects/queue/job-rows.ts";
import { isOverdue } from "../../../durable-objects/queue/retention.ts";

const policy = { retentionMs: 1_000, retentionMax: 10 };
const job = (changes: Partial<KeptJob> = {}): KeptJob => ({
  seq: 50,
  id: "job_a",
  open: 0,
  createdAt: 0,
  endedAt: 100,
  ...changes,
});

it.each([
  ["stays until its time is over", job(), 50, 1_099, false],
  ["goes when its time is over", job(), 50, 1_100, true],
  ["stays while it is among the latest that are kept", job(), 59, 100, false],
  ["goes when it is not", job(), 60, 100, true],
  ["stays, however old, while something of it is to be done", job({ open: 1 }), 90, 9_999, false],
  ["stays, however old, while it is not over", job({ endedAt: null }), 90, 9_999, false],
])("a job %s", (_, kept, lastSeq, now, expected) => {
  expect(isOverdue(kept, policy, lastSeq, now)).toBe(expected);
});
