import { afterAll, beforeAll, expect, it } from "vitest";

import {
  runBody,
  startSandboxService,
  type SandboxService,
} from "../../../support/sandbox-service.ts";

let service: SandboxService;

beforeAll(async () => {
  service = await startSandboxService();
});
afterAll(async () => {
  await service.stop();
});

const NEVER_ENDING = { code: "await new Promise((done) => setTimeout(done, 60_000));" };

it.each([true, false])(
  "answers 200 before the run has ended, events wanted: %s",
  async (stream) => {
    const leave = new AbortController();
    const body = runBody({ stream, caps: { wallMs: 30_000 } }, NEVER_ENDING);

    const response = await service.send(body, { signal: leave.signal });

    expect(response.status).toBe(200);
    expect((await service.readiness()).inFlight).toBe(1);
    leave.abort();
  },
);

it("answers a run that was turned away with another status, events wanted or not", async () => {
  for (const stream of [true, false]) {
    const response = await service.send(runBody({ stream, runId: "not one of ours" }));
    expect(response.status).toBe(400);
  }
});
