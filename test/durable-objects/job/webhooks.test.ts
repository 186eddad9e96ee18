import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { Webhook, WebhookVerificationError } from "standardwebhooks";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { tenantWebhookSecret, WebhookSender } from "../../../durable-objects/job/webhook-sender.ts";
import {
  afterTry,
  checkCallback,
  newDelivery,
  type DeliveryAnswer,
} from "../../../durable-objects/job/webhook.ts";
import {
  detailsOf,
  doneOf,
  ENDED,
  newJob,
  playExecutor,
  playHost,
  playHosts,
  playPeers,
  type PlayedExecutor,
  STARTED,
  type TestJob,
} from "./support.ts";

interface Received {
  readonly headers: Record<string, string>;
  readonly body: string;
}

const SECRET = { id: "a", secret: "w".repeat(32) };
let executor: PlayedExecutor;
let received: Received[];
let answer: () => Response;
let receivers = 0;
let laterMs = 0;
let origin: string;

beforeEach(() => {
  playHosts();
  playPeers();
  executor = playExecutor();
  executor.script = [STARTED, ENDED({ stdout: "hi" })];
  received = [];
  answer = () => new Response(null, { status: 204 });
  origin = `https://receiver-${++receivers}.example.com`;
  playHost(origin, async (request) => {
    received.push({ headers: Object.fromEntries(request.headers), body: await request.text() });
    return answer();
  });
});
afterEach(() => {
  vi.restoreAllMocks();
});

const jobWith = (events: ("started" | "done")[], url = `${origin}/hook`): TestJob =>
  newJob(executor, undefined, { callback: { url, events } });

const deliveryOf = async (test: TestJob) => (await detailsOf(test)).deliveries[0];

/** Makes the next try due, and lets the job's alarm come. */
async function nextTry(test: TestJob): Promise<void> {
  await runInDurableObject(test.job(), async (_, { storage }) => storage.setAlarm(Date.now()));
  laterMs += 24 * 60 * 60 * 1000;
  vi.spyOn(Date, "now").mockReturnValue(Date.now() + laterMs);
  await runDurableObjectAlarm(test.job());
  vi.mocked(Date.now).mockRestore();
}

describe("a callback", () => {
  it("is told of the job's end in a message that the tenant's own secret verifies", async () => {
    const test = jobWith(["done"]);
    await test.job().start(test.nextStart());
    await doneOf(test);
    await vi.waitFor(async () => expect(await deliveryOf(test)).toMatchObject({ attempts: 1 }));
    const { headers, body } = received[0]!;
    const own = new Webhook(await tenantWebhookSecret(SECRET, "acme"));
    expect(own.verify(body, headers)).toMatchObject({
      type: "job.done",
      data: {
        id: test.identity.jobId,
        state: "done",
        lane: "container",
        result: { outcome: "ok", stdout: "hi" },
      },
    });
    const operators = new Webhook(new TextEncoder().encode(SECRET.secret), { format: "raw" });
    expect(operators.verify(body, headers)).toBeDefined();
    const others = new Webhook(await tenantWebhookSecret(SECRET, "other"));
    expect(() => others.verify(body, headers)).toThrow(WebhookVerificationError);
    expect(() => own.verify(`${body} `, headers)).toThrow(WebhookVerificationError);
    expect(await deliveryOf(test)).toMatchObject({
      event: "done",
      state: "delivered",
      lastStatus: 204,
      nextAt: null,
    });
  });

  it("is told of the start, too, where it asked for it", async () => {
    const test = jobWith(["started", "done"]);
    await test.job().start(test.nextStart());
    await doneOf(test);
    await vi.waitFor(() => expect(received).toHaveLength(2));
    const types = received.map(({ body }) => JSON.parse(body).type);
    expect(new Set(types)).toEqual(new Set(["job.started", "job.done"]));
  });

  it("that fails is told again under the same id until it takes it", async () => {
    answer = () => new Response(null, { status: 500 });
    const test = jobWith(["done"]);
    await test.job().start(test.nextStart());
    await doneOf(test);
    await vi.waitFor(async () =>
      expect(await deliveryOf(test)).toMatchObject({
        state: "pending",
        attempts: 1,
        lastStatus: 500,
        lastError: "it answers with status 500",
      }),
    );
    answer = () => new Response(null, { status: 302, headers: { Location: "http://10.0.0.1/" } });
    await nextTry(test);
    expect(await deliveryOf(test)).toMatchObject({ state: "pending", lastStatus: 302 });
    answer = () => new Response(null, { status: 200 });
    await nextTry(test);
    expect(await deliveryOf(test)).toMatchObject({ state: "delivered", attempts: 3 });
    expect(new Set(received.map(({ headers }) => headers["webhook-id"]))).toEqual(
      new Set([`msg_${test.identity.jobId}_done`]),
    );
  });

  it("that is gone is told no more, but on demand", async () => {
    vi.spyOn(console, "warn").mockReturnValue();
    answer = () => new Response(null, { status: 410 });
    const test = jobWith(["done"]);
    await test.job().start(test.nextStart());
    await doneOf(test);
    await vi.waitFor(async () => expect(await deliveryOf(test)).toMatchObject({ state: "failed" }));
    answer = () => new Response(null, { status: 200 });
    await test.job().redeliver();
    await vi.waitFor(async () =>
      expect(await deliveryOf(test)).toMatchObject({ state: "delivered", attempts: 2 }),
    );
  });

  it("at an address of ours is never asked", async () => {
    vi.spyOn(console, "warn").mockReturnValue();
    const test = jobWith(["done"], "http://169.254.169.254/latest");
    await test.job().start(test.nextStart());
    await doneOf(test);
    await vi.waitFor(async () =>
      expect(await deliveryOf(test)).toMatchObject({ state: "failed", lastStatus: null }),
    );
    expect(received).toEqual([]);
  });
});

describe("checkCallback()", () => {
  it.each([
    "http://127.0.0.1/",
    "http://[::1]/",
    "http://0x7f.1/",
    "http://10.1.2.3:8080/",
    "http://localhost/",
    "http://metadata.google.internal/",
    "http://intranet/",
    "https://user:secret@example.com/",
    "ftp://example.com/",
    "https://example.com:6379/",
  ])("refuses %s", (url) => {
    expect(checkCallback(url, [])).toMatchObject({ allowed: false });
  });

  it.each(["https://example.com/hook", "http://93.184.215.14/hook", "https://example.com:8443/"])(
    "allows %s",
    (url) => {
      expect(checkCallback(url, [])).toMatchObject({ allowed: true });
    },
  );

  it("allows a private host that the operator lists, on its port alone", () => {
    expect(checkCallback("http://127.0.0.1:9000/", ["127.0.0.1:9000"]).allowed).toBe(true);
    expect(checkCallback("http://127.0.0.1:9001/", ["127.0.0.1:9000"]).allowed).toBe(false);
  });
});

describe("afterTry()", () => {
  const status = (code: number): DeliveryAnswer => ({ kind: "answered", status: code });

  it("tries for most of a day, with pauses that grow, and then gives up", () => {
    let delivery = newDelivery("done", null, 0);
    const pauses: number[] = [];
    for (let now = 0; delivery.state === "pending"; now = delivery.nextAt ?? now) {
      delivery = afterTry(delivery, status(503), now, 0);
      if (delivery.nextAt !== null) pauses.push(delivery.nextAt - now);
    }
    expect(delivery).toMatchObject({ state: "failed", attempts: 7 });
    expect(pauses).toEqual([5, 300, 1_800, 7_200, 18_000, 36_000].map((s) => s * 1_000));
  });

  it("adds a tenth of a pause at most", () => {
    const delivery = afterTry(newDelivery("done", null, 0), status(500), 0, 1);
    expect(delivery.nextAt).toBe(5_500);
  });
});

describe("a sender behind an egress proxy", () => {
  const proxied = { url: "", tenant: "acme", messageId: "msg_1", body: "{}" };
  const sender = new WebhookSender({
    webhooks: { secrets: [SECRET], timeoutMs: 1_000, allowPrivateHosts: [] },
    egressProxyUrl: "http://proxy.test",
    executorSecrets: [{ id: "a", secret: "e".repeat(32) }],
  });

  it.each([
    [204, { "Bulkhead-Delivered-Status": "202" }, { kind: "answered", status: 202 }],
    [403, {}, { kind: "forbidden" }],
    [502, {}, { kind: "failed" }],
    [504, {}, { kind: "failed", reason: "it did not answer in time" }],
  ])("that answers %i takes it for what it is", async (code, headers, expected) => {
    let asked = "";
    playHost("http://proxy.test", async (request) => {
      if (request.headers.get("Bulkhead-Signature")?.includes(" unknown ") === true) {
        return new Response(null, { status: 401, headers: { "Bulkhead-Boot": "p1" } });
      }
      asked = await request.text();
      return new Response(null, { status: code, headers: headers as Record<string, string> });
    });
    const url = "https://example.com/hook";
    expect(await sender.send({ ...proxied, url })).toMatchObject(expected);
    expect(JSON.parse(asked)).toMatchObject({ url, body: "{}" });
  });
});
