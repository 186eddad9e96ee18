import { describe, expect, test } from "vitest";

import { RENEWED_WITHIN_MS } from "../../../protocol/container-api.ts";
import { allOf, order } from "../../support/container-service.ts";
import { sharedContainerService } from "../../support/shared-container-service.ts";

const { service, containers } = sharedContainerService();

describe("leases", () => {
  test(
    "a run that nobody renews is killed, and one that is renewed goes on",
    async () => {
      const caps = { wallMs: 2 * RENEWED_WITHIN_MS };
      const forgotten = order({ code: "sleep 1111", caps });
      const renewed = order({ code: "sleep 2222", caps });
      for (const body of [forgotten, renewed]) expect((await service().put(body)).status).toBe(201);
      const renewal = setInterval(() => {
        void service().send("POST", `/v1/runs/${renewed.runId}/renew`);
      }, 5000);
      try {
        const told = await allOf(service().events(forgotten.runId));
        expect(told.at(-1)).toMatchObject({ type: "end", result: { outcome: "infra_lost" } });
        expect(told.at(-1)!.atMs).toBeGreaterThanOrEqual(RENEWED_WITHIN_MS - 1000);
        expect(await service().status(renewed.runId)).toMatchObject({ state: "running" });
      } finally {
        clearInterval(renewal);
        await service().send("DELETE", `/v1/runs/${renewed.runId}`);
      }
      expect(await containers().pids("sleep")).toEqual([]);
    },
    RENEWED_WITHIN_MS + 30_000,
  );
});

test("a drain with stop kills what runs, and tells it as lost", async () => {
  const body = order({ code: "echo begun; sleep 1111" });
  await service().put(body);
  for await (const event of service().events(body.runId)) if (event.type === "stdout") break;
  const answer = await service().send("POST", "/v1/drain", '{"stop":true}');
  expect(await answer.json()).toMatchObject({ draining: true, stop: true, inFlight: 1 });
  const told = await allOf(service().events(body.runId));
  expect(told.at(-1)).toMatchObject({ result: { outcome: "infra_lost", started: true } });
  expect(await containers().pids("sleep")).toEqual([]);
  expect((await service().put(order())).headers.get("Bulkhead-Refusal")).toBe("draining");
  expect(await service().readiness()).toMatchObject({ ready: false, draining: true });
});
