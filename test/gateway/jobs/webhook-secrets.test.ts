import { expect, it } from "vitest";

import { tenantWebhookSecret } from "../../../durable-objects/job/webhook-sender.ts";
import { newKey } from "../support.ts";
import { send } from "./support.ts";

it("GET /v1/webhooks/secrets tells a tenant its own secrets, to who may run", async () => {
  const { tenant, key } = await newKey();
  const answer = await send("GET", "/v1/webhooks/secrets", key);
  const own = await tenantWebhookSecret({ id: "a", secret: "w".repeat(32) }, tenant);
  expect(await answer.json()).toEqual({ secrets: [own] });

  const reader = await newKey(tenant, { scopes: ["read"] });
  expect((await send("GET", "/v1/webhooks/secrets", reader.key)).status).toBe(403);
});
