import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";

import { createApp } from "../../gateway/app.ts";
import type { RunLine } from "../../protocol/sandbox-api.ts";
import { parseSignature, SIGNATURE_HEADER } from "../../protocol/signature.ts";
import {
  bearer,
  ended,
  endless,
  executorResult,
  linesOf,
  newKey,
  ORIGIN,
  playExecutors,
  postRun,
  problemOf,
} from "./support.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

const REFUSED = new Error("Network connection lost.");
const SCRIPT = { language: "typescript", code: "export default 1" };
const WITH_NET = { ...SCRIPT, permissions: { net: ["*"] } };

const restarted = (bootId: string) => (): Response =>
  new Response(null, { status: 401, headers: { "Bulkhead-Boot": bootId } });

const refusal = (kind: string, retryAfter?: string) => (): Response =>
  new Response(null, {
    status: 503,
    headers: {
      "Bulkhead-Refusal": kind,
      ...(retryAfter === undefined ? {} : { "Retry-After": retryAfter }),
    },
  });

/** An app with other variables than the Worker under test; it shares its objects. */
function appWith(variables: object) {
  const app = createApp();
  const bindings = { ...env, ...variables };
  return async (key: string, body: unknown = SCRIPT): Promise<Response> => {
    const context = createExecutionContext();
    const request = new Request(`${ORIGIN}/v1/run`, {
      method: "POST",
      headers: { ...bearer(key), "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    const response = await app.fetch(request, bindings, context);
    const text = await response.text();
    await waitOnExecutionContext(context);
    return new Response(text, response);
  };
}

describe("an executor that restarted", () => {
  it("is signed for once more with the boot id it names, and remembered by it", async () => {
    const { key } = await newKey();
    const seen = playExecutors(restarted("boot-2"), ended());

    expect((await postRun(key)).status).toBe(200);
    expect((await postRun(key)).status).toBe(200);

    const signatures = seen.map(({ headers }) =>
      parseSignature(headers.get(SIGNATURE_HEADER) ?? ""),
    );
    expect(signatures.map((one) => one?.bootId).slice(-2)).toEqual(["boot-2", "boot-2"]);
    expect(new Set(signatures.map((one) => one?.nonce)).size).toBe(3);
  });

  it("is signed for no more than once more", async () => {
    const { key } = await newKey();
    const seen = playExecutors(restarted("boot-3"), restarted("boot-4"));
    expect(await problemOf(await postRun(key))).toMatchObject({ code: "executor_unavailable" });
    expect(seen).toHaveLength(2);
  });

  it("and refuses the signature with a boot id that is known is not asked again", async () => {
    const { key } = await newKey();
    const seen = playExecutors(restarted("boot-5"), restarted("boot-5"));
    expect((await postRun(key)).status).toBe(503);
    expect(seen.length).toBeLessThanOrEqual(2);
  });
});

describe("an executor that takes no work", () => {
  it.each([
    ["that nobody reaches", REFUSED, "executor_unavailable", "1"],
    ["that is full", refusal("full", "7"), "lane_full", "7"],
    ["that is full and says not for how long", refusal("full"), "lane_full", "1"],
    ["that is draining", refusal("draining", "3"), "draining", "3"],
    ["that is not ready", refusal("not-ready"), "executor_unavailable", "1"],
    ["that is broken", () => new Response("?", { status: 500 }), "executor_unavailable", "1"],
  ])("%s gives 503 with a Retry-After", async (_, answer, code, retryAfter) => {
    const { key } = await newKey();
    playExecutors(answer);
    const response = await postRun(key, WITH_NET);
    expect(response.headers.get("Retry-After")).toBe(retryAfter);
    expect(await problemOf(response)).toMatchObject({ code, status: 503, lane: "isolate" });
  });

  it("is passed over for one that does", async () => {
    const { key } = await newKey();
    const seen = playExecutors((request) =>
      (request.url.startsWith("http://a.test") ? refusal("full") : ended())(request),
    );
    const run = appWith({ SANDBOX_URLS: "http://a.test,http://b.test" });
    for (let i = 0; i < 4; i++) {
      expect(await (await run(key)).json()).toMatchObject({ executor: "sandbox-2" });
    }
    // Having refused once, it is asked after the others for a while.
    expect(seen.filter(({ url }) => url.startsWith("http://a.test"))).toHaveLength(1);
  });

  it("is named by why it is full rather than why another is gone", async () => {
    const { key } = await newKey();
    playExecutors(({ url }) => {
      if (url.startsWith("http://a.test")) return refusal("full", "9")();
      throw REFUSED;
    });
    const run = appWith({ SANDBOX_URLS: "http://a.test,http://b.test,http://c.test" });
    expect(await problemOf(await run(key))).toMatchObject({ code: "lane_full" });
  });
});

it("executors take turns", async () => {
  const { key } = await newKey();
  playExecutors(ended());
  const run = appWith({ SANDBOX_URLS: "http://a.test,http://b.test" });
  const names: string[] = [];
  for (let i = 0; i < 4; i++) {
    const { executor }: { executor: string } = await (await run(key)).json();
    names.push(executor);
  }
  expect(names.toSorted((a, b) => a.localeCompare(b))).toEqual([
    "sandbox-1",
    "sandbox-1",
    "sandbox-2",
    "sandbox-2",
  ]);
});

describe("an executor that is lost under a run", () => {
  const started: RunLine = { event: { type: "started", queueMs: 0 } };

  it.each([
    ["ends without a word", linesOf()],
    ["ends in the middle of a line", () => new Response('{"end":{"runId"')],
    ["ends after the run began", linesOf(started)],
    ["says what is not of the protocol", () => new Response('{"end":{"outcome":"great"}}\n')],
    [
      "puts more than a value where the value belongs",
      linesOf({ end: executorResult({ valueJson: '1,"outcome":"failed"' }) }),
    ],
    [
      "puts line breaks, which end an event, into the value",
      linesOf({ end: executorResult({ valueJson: '{"a":\n\n"x"}' }) }),
    ],
  ])("and %s leaves the outcome unknown", async (_, answer) => {
    vi.spyOn(console, "error").mockReturnValue();
    const { key } = await newKey();
    playExecutors(answer);
    const response = await postRun(key, WITH_NET);
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({
      outcome: "infra_lost",
      certainty: "unknown",
      retrySafe: false,
      value: null,
      error: { name: "InfraLost" },
    });
  });

  it("leaves a run that reached nothing outside safe to repeat", async () => {
    const { key } = await newKey();
    playExecutors(linesOf());
    expect(await (await postRun(key)).json()).toMatchObject({
      outcome: "infra_lost",
      retrySafe: true,
    });
  });
});

describe("an executor that is silent", () => {
  it("before it took the run gives 504, and is let go", async () => {
    const { key } = await newKey();
    let wasLetGo = false;
    playExecutors(
      ({ signal }) =>
        new Promise<Response>((_, reject) => {
          signal?.addEventListener("abort", () => {
            wasLetGo = true;
            reject(new Error("aborted"));
          });
        }),
    );
    const run = appWith({ EXECUTOR_TIMEOUT_MS: "100" });
    expect(await problemOf(await run(key))).toMatchObject({
      code: "executor_timeout",
      status: 504,
      detail: "Cannot get an answer from the isolate lane within 100 ms",
    });
    expect(wasLetGo).toBe(true);
  });

  it("while the run goes on gives 504, and the run is abandoned", async () => {
    const { key } = await newKey();
    const { answer, wasAbandoned } = endless();
    playExecutors(answer);
    const run = appWith({ EXECUTOR_TIMEOUT_MS: "100" });
    expect(await problemOf(await run(key))).toMatchObject({ code: "executor_timeout" });
    expect(wasAbandoned()).toBe(true);
  });
});

describe("a module that isolates cannot link", () => {
  const unlinkable = linesOf({ unlinkable: { specifier: "node:fs", importer: "main.ts" } });

  it("goes to the container lane, where the lane was left open", async () => {
    const { key } = await newKey();
    playExecutors(unlinkable);
    expect(await problemOf(await postRun(key))).toMatchObject({
      code: "lane_unavailable",
      status: 501,
      lane: "container",
      detail: expect.stringContaining('"node:fs"'),
    });
  });

  it("fails the run, where isolates were asked for", async () => {
    const { key } = await newKey();
    playExecutors(unlinkable);
    const response = await postRun(key, { ...SCRIPT, lane: "isolate" });
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({
      outcome: "failed",
      retrySafe: true,
      error: { message: expect.stringContaining('Cannot link "node:fs"') },
    });
  });

  it("counts as a run, since it was compiled to be found out", async () => {
    const { key } = await newKey();
    playExecutors(unlinkable);
    await postRun(key);
    const response = await postRun(key, "{");
    expect(response.headers.get("RateLimit")).toContain('"tenant";r=99');
  });
});
