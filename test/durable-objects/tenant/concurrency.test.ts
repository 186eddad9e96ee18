import { expect, it } from "vitest";

import { hasPlace, Leases } from "../../../durable-objects/tenant/concurrency.ts";

it("a lease holds its place until it is released", () => {
  const leases = new Leases();
  leases.hold("a", 100);
  leases.hold("b", 100);
  expect(leases.held(50)).toBe(2);
  expect(leases.release("a")).toBe(true);
  expect(leases.release("a")).toBe(false);
  expect(leases.held(50)).toBe(1);
});

it("a lease that nobody releases ends by itself", () => {
  const leases = new Leases();
  leases.hold("short", 100);
  leases.hold("long", 200);
  expect(leases.held(99)).toBe(2);
  expect(leases.held(100)).toBe(1);
  expect(leases.has("short")).toBe(false);
  expect(leases.held(200)).toBe(0);
});

it("holding a place again moves its end", () => {
  const leases = new Leases();
  leases.hold("a", 100);
  leases.hold("a", 300);
  expect(leases.held(200)).toBe(1);
  expect(leases.held(300)).toBe(0);
});

it.each([
  [0, 1, true],
  [1, 1, false],
  [2, 1, false],
  [1_000, 0, true],
])("with %i under way and a limit of %i, one more may run: %s", (held, limit, may) => {
  expect(hasPlace(held, limit)).toBe(may);
});
