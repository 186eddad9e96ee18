import { describe, expect, it } from "vitest";

import { readJobOptions, splitJobOptions } from "../../../gateway/request/job-options.ts";

const NOW = Date.parse("2026-11-22T00:00:00Z");

describe("splitJobOptions()", () => {
  it("parts how a job queues from what it does", () => {
    expect(splitJobOptions({ code: "1", priority: 3, callback: {}, lane: "auto" })).toEqual({
      work: { code: "1", lane: "auto" },
      options: { priority: 3, callback: {} },
    });
  });

  it("leaves fields as they are where none says how", () => {
    const fields = { code: "1" };
    const split = splitJobOptions(fields);
    expect(split.work).toBe(fields);
    expect(split.options).toBeUndefined();
  });

  it.each([[null], [[1]], ["x"]])("passes on %j for others to refuse", (fields) => {
    expect(splitJobOptions(fields)).toEqual({ work: fields, options: undefined });
  });
});

const WEBHOOKS = { secrets: [{ id: "a", secret: "w".repeat(32) }], allowPrivateHosts: [] };

describe("readJobOptions()", () => {
  it("takes a callback that can be told, and a private one that the operator lists", () => {
    const callback = { url: "https://a.example/hook" };
    expect(readJobOptions({ callback }, NOW, WEBHOOKS).ok).toBe(true);
    const own = { url: "http://127.0.0.1:9000/" };
    const allowPrivateHosts = ["127.0.0.1:9000"];
    expect(readJobOptions({ callback: own }, NOW, { ...WEBHOOKS, allowPrivateHosts }).ok).toBe(
      true,
    );
  });

  it("refuses every callback where nothing could sign it", () => {
    const callback = { url: "https://a.example/hook" };
    expect(readJobOptions({ callback }, NOW, { ...WEBHOOKS, secrets: [] })).toMatchObject({
      failure: { issues: [{ path: "callback" }] },
    });
  });

  it("has a default for each", () => {
    expect(readJobOptions(undefined, NOW, WEBHOOKS)).toEqual({
      ok: true,
      value: {
        priority: 5,
        notBefore: null,
        expiresAt: null,
        retry: { attempts: 0, backoffMs: 1_000, on: ["failed"], onLost: 3 },
        callback: null,
      },
    });
  });

  it("reads times in any zone", () => {
    const wish = { notBefore: "2026-11-22T02:00:00+01:00", expiresAt: "2026-11-22T02:00:00Z" };
    expect(readJobOptions(wish, NOW, WEBHOOKS)).toMatchObject({
      value: { notBefore: NOW + 3_600_000, expiresAt: NOW + 7_200_000 },
    });
  });

  it("takes a time to begin that is past: it may begin at once", () => {
    expect(readJobOptions({ notBefore: "2020-01-01T00:00:00Z" }, NOW, WEBHOOKS).ok).toBe(true);
  });

  it.each([
    [{ priority: 10 }, "priority"],
    [{ priority: -1 }, "priority"],
    [{ priority: 1.5 }, "priority"],
    [{ notBefore: "tomorrow" }, "notBefore"],
    [{ notBefore: "2026-12-22T00:00:01Z" }, "notBefore"],
    [{ expiresAt: "2026-11-22T00:00:00Z" }, "expiresAt"],
    [{ notBefore: "2026-11-23T00:00:00Z", expiresAt: "2026-11-22T23:00:00Z" }, "expiresAt"],
    [{ retry: { attempts: 11 } }, "retry.attempts"],
    [{ retry: { on: ["sometimes"] } }, "retry.on.0"],
    [{ retry: { often: true } }, "retry.often"],
    [{ callback: { url: "ftp://a.example" } }, "callback.url"],
    [{ callback: { url: "https://user:pass@a.example" } }, "callback.url"],
    [{ callback: { url: "https://a.example", events: [] } }, "callback.events"],
    [{ callback: { url: "http://169.254.169.254/latest" } }, "callback.url"],
    [{ callback: { url: "http://localhost:8080/" } }, "callback.url"],
  ])("refuses %j by %s", (options, path) => {
    expect(readJobOptions(options, NOW, WEBHOOKS)).toMatchObject({
      failure: { code: "malformed_request", issues: [{ path }] },
    });
  });
});
