import { expect, it } from "vitest";

import { FairQueue } from "../../../../sandbox-worker/service/pool/fair-queue.ts";

const item = (tenant: string, queuedAtMs = 0) => ({ tenant, queuedAtMs });

it("serves tenants in turns, and each in its own order", () => {
  const queue = new FairQueue<ReturnType<typeof item>>();
  const [a1, a2, a3, b1] = [item("a", 1), item("a", 2), item("a", 3), item("b", 4)];
  for (const each of [a1, a2, a3, b1]) queue.push(each);

  const order = [];
  for (let [next] = queue.heads(); next !== undefined; [next] = queue.heads()) {
    order.push(next);
    queue.served(next);
  }

  expect(order).toEqual([a1, b1, a2, a3]);
  expect(queue.length).toBe(0);
});

it("puts back in front what could not be served after all", () => {
  const queue = new FairQueue<ReturnType<typeof item>>();
  const [first, second] = [item("a", 1), item("a", 2)];
  queue.push(second);

  queue.unshift(first);

  expect(queue.heads()).toEqual([first]);
  expect(queue.waitingOf("a")).toBe(2);
});

it("knows whether others wait, and who has waited too long", () => {
  const queue = new FairQueue<ReturnType<typeof item>>();
  const old = item("a", 1);
  queue.push(old);
  expect(queue.othersWait("a")).toBe(false);

  queue.push(item("b", 10));

  expect(queue.othersWait("a")).toBe(true);
  expect(queue.othersWait("c")).toBe(true);
  expect(queue.expired(5)).toEqual([old]);
  expect(queue.remove(old)).toBe(true);
  expect(queue.remove(old)).toBe(false);
});
