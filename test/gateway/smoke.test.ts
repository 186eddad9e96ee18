import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { inject } from "vitest";

import gateway from "../../gateway/index.ts";
import "../support/provided-context.ts";
import { smokeSuite } from "../support/smoke-suite.ts";

smokeSuite("the gateway in vitest's workerd", () => ({
  adminToken: "t".repeat(32),
  fetch: async (path, init) => {
    const context = createExecutionContext();
    const bindings = { ...env, SANDBOX_URLS: inject("sandboxUrl") };
    const request = new Request(`https://gateway.test${path}`, init);
    const response = await gateway.fetch(request, bindings, context);
    const body = await response.arrayBuffer();
    await waitOnExecutionContext(context);
    return new Response(body, response);
  },
}));
