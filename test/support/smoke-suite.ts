import { beforeAll, describe, expect, it } from "vitest";

import type { RunEvent, RunResult } from "../../protocol/run-result.ts";

/** A gateway that serves: how to call it, and its operator's token. */
export interface SmokeTarget {
  readonly fetch: (path: string, init?: RequestInit) => Promise<Response>;
  readonly adminToken: string;
}

const ADD = "export default ({a, b}: {a: number, b: number}) => a + b";

/**
 * The least that must hold wherever the gateway runs, with a real sandbox-worker behind it. The
 * same statements in each runtime, so that a runtime which differs is seen.
 */
export function smokeSuite(title: string, open: () => SmokeTarget): void {
  describe(`${title}`, () => {
    const tenant = `smoke-${Math.random().toString(36).slice(2, 10)}`;
    let target: SmokeTarget;
    let key = "";

    const admin = (path: string, method: string, body?: unknown) =>
      target.fetch(path, {
        method,
        headers: {
          authorization: `Bearer ${target.adminToken}`,
          "content-type": "application/json",
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    const mint = async (): Promise<{ key: string; keyId: string }> => {
      const response = await admin(`/admin/tenants/${tenant}/keys`, "POST", { name: "smoke" });
      expect(response.status).toBe(201);
      return (await response.json()) as { key: string; keyId: string };
    };
    const run = (body: unknown, headers: Record<string, string> = {}) =>
      target.fetch("/v1/run", {
        method: "POST",
        headers: {
          authorization: `Bearer ${key}`,
          "content-type": "application/json",
          ...headers,
        },
        body: typeof body === "string" ? body : JSON.stringify(body),
      });
    const result = async (body: unknown): Promise<RunResult> => {
      const response = await run(body);
      expect(response.status).toBe(200);
      return (await response.json()) as RunResult;
    };

    beforeAll(async () => {
      target = open();
      ({ key } = await mint());
    });

    it("is alive and ready", async () => {
      expect((await target.fetch("/healthz")).status).toBe(200);
      expect((await target.fetch("/readyz")).status).toBe(200);
    });

    it("runs TypeScript and says where the tenant stands", async () => {
      const response = await run({ language: "typescript", code: ADD, input: { a: 1, b: 2 } });

      expect(response.status).toBe(200);
      expect(response.headers.get("RateLimit-Policy")).toContain('"tenant";q=');
      expect(response.headers.get("RateLimit")).toContain('"tenant";r=');
      expect(await response.json()).toMatchObject({
        lane: "isolate",
        outcome: "ok",
        certainty: "certain",
        retrySafe: true,
        value: 3,
        limits: { wallMs: { value: 5000, setBy: "ISOLATE_WALL_MS" } },
      });
    });

    it("reports the code's own failure as an outcome with its place", async () => {
      const failed = await result({
        language: "typescript",
        code: "enum A { X = 1 }\nexport default () => { throw new TypeError(`bad ${A.X}`); }",
      });

      expect(failed).toMatchObject({ outcome: "failed", error: { name: "TypeError" } });
      expect(failed.error?.stack).toContain("main.ts:2:");
    });

    it("ends a loop at its CPU limit", async () => {
      const ended = await result({
        language: "javascript",
        code: "for (;;);",
        limits: { cpuMs: 100, wallMs: 20_000 },
      });

      expect(ended).toMatchObject({ outcome: "cpu_timeout", certainty: "certain" });
    });

    it("streams a run's events in order, the last of them done", async () => {
      const response = await run(
        { language: "javascript", code: "console.log('a'); console.error('b'); export default 1" },
        { accept: "application/x-ndjson" },
      );
      const text = new TextDecoder().decode(await response.arrayBuffer());
      const events = text
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as RunEvent);

      expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
      expect(events.map(({ type }) => type)).toEqual(["started", "console", "console", "done"]);
    });

    it("refuses a forged key, an unknown field and a lane that is not there, each by name", async () => {
      const forged = await target.fetch("/v1/run", {
        method: "POST",
        headers: { authorization: `Bearer ${key.slice(0, -4)}aaaa` },
      });
      expect([forged.status, await forged.json()]).toMatchObject([
        401,
        { code: "unauthenticated" },
      ]);

      const unknown = await run({ language: "javascript", code: "1", nonsense: 1 });
      expect([unknown.status, await unknown.json()]).toMatchObject([
        400,
        { code: "malformed_request", issues: [{ path: "nonsense" }] },
      ]);

      const absent = await run({ language: "python", code: "print(1)" });
      expect([absent.status, await absent.json()]).toMatchObject([
        501,
        { code: "lane_unavailable", lane: "container" },
      ]);
    });

    it("takes a revoked key no longer", async () => {
      const other = await mint();
      const revoked = await admin(`/admin/tenants/${tenant}/keys/${other.keyId}`, "DELETE");
      expect(revoked.ok).toBe(true);

      const response = await target.fetch("/v1/run", {
        method: "POST",
        headers: { authorization: `Bearer ${other.key}`, "content-type": "application/json" },
        body: JSON.stringify({ language: "javascript", code: "1" }),
      });

      expect(response.status).toBe(401);
    });
  });
}
