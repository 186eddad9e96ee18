import { afterAll, beforeAll, expect, it } from "vitest";

import { startSandboxService } from "../../support/sandbox-service.ts";
import type { SandboxService } from "../../support/sandbox-service.ts";

let service: SandboxService;
beforeAll(async () => {
  service = await startSandboxService();
});
afterAll(async () => {
  await service.stop();
});

it("runs signed work and answers with its end", async () => {
  const { response, result } = await service.run(
    {},
    { code: "export default (i) => i.a + 1", inputJson: '{"a":1}' },
  );
  expect(response.status).toBe(200);
  expect(result).toMatchObject({ outcome: "ok", valueJson: "2", encoding: "json" });
});
