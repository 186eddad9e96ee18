import { expect, test } from "vitest";

import {
  afterAsk,
  afterCalm,
  CALM_MS,
  initialDemand,
} from "../../../container-executor/containers/spare-demand.ts";

const POLICY = { perImage: 2, perImageMax: 4 };

test("demand grows by one with each last spare gone, up to the most", () => {
  let demand = initialDemand(POLICY);
  demand = afterAsk(demand, 1, POLICY, 0);
  expect(demand.wanted).toBe(2);
  for (let i = 0; i < 5; i++) demand = afterAsk(demand, 0, POLICY, i);
  expect(demand.wanted).toBe(4);
});

test("a quiet minute lowers it by one, down to the policy's own", () => {
  let demand = { wanted: 4, askedAtMs: 0 };
  expect(afterCalm(demand, POLICY, CALM_MS - 1)).toBe(demand);
  demand = afterCalm(demand, POLICY, CALM_MS);
  expect(demand.wanted).toBe(3);
  demand = afterCalm(demand, POLICY, 2 * CALM_MS);
  expect(afterCalm(demand, POLICY, 9 * CALM_MS).wanted).toBe(2);
});

test("no spares wanted stay none", () => {
  const none = { perImage: 0, perImageMax: 4 };
  expect(afterAsk(initialDemand(none), 0, none, 0).wanted).toBe(0);
});
