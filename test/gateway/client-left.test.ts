import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, expect, it, vi } from "vitest";

import { createApp } from "../../gateway/app.ts";
import type { UsageAnswer } from "../../protocol/tenant-answers.ts";
import { bearer, call, newKey, ORIGIN, playExecutors, type Answer } from "./support.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

/** Takes a request and answers nothing, until whoever sent it gives up. */
const silent: Answer = ({ signal }) =>
  new Promise((_, reject) => {
    signal?.addEventListener("abort", () => reject(new Error("aborted")));
  });

it("a client that leaves before its run has begun ends it, and has had its turn", async () => {
  const { key } = await newKey();
  const seen = playExecutors(silent);
  const client = new AbortController();
  const context = createExecutionContext();
  const request = new Request(`${ORIGIN}/v1/run`, {
    method: "POST",
    headers: { ...bearer(key), "Content-Type": "application/json" },
    body: JSON.stringify({ language: "javascript", code: "export default 1" }),
    signal: client.signal,
  });
  const bindings = { ...env, SANDBOX_URLS: "http://a.test,http://b.test" };

  const answer = createApp().fetch(request, bindings, context);
  await vi.waitUntil(() => seen.length === 1);
  client.abort();
  await (await answer).text();
  await waitOnExecutionContext(context);

  expect(seen).toHaveLength(1);
  vi.restoreAllMocks();
  const usage = await call("/v1/usage", { headers: bearer(key) });
  expect((await usage.json<UsageAnswer>()).usage).toMatchObject([{ lane: "isolate", runs: 1 }]);
});
