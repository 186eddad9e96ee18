import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";

import { createApp } from "../../gateway/app.ts";
import {
  ADMIN,
  bearer,
  call,
  ended,
  newKey,
  ORIGIN,
  playExecutors,
  postRun,
  problemOf,
} from "./support.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

const SCRIPT = { language: "typescript", code: "export default 1" };

describe("a request that cannot be read", () => {
  it.each([
    ["malformed JSON", '{"language":', "", "is not JSON: it ends too early"],
    ["no body", "", "", "is not JSON: it ends too early"],
    ["an unknown field", { ...SCRIPT, cde: 1 }, "cde", "is not a known field"],
    ["a wrong type", { ...SCRIPT, code: 5 }, "code", "must be a string"],
    ["a duplicate key", '{"code":"a","code":"b"}', "code", "must occur once"],
    [
      "a body too deep",
      `{"input":${"[".repeat(64)}${"]".repeat(64)}}`,
      "input",
      "must not nest deeper than 64 levels",
    ],
    ["a list", [], "", "must be a JSON object"],
  ])("for %s gets 400 that says where", async (_, body, path, message) => {
    const { key } = await newKey();
    const seen = playExecutors(ended());
    const response = await postRun(key, body);
    expect(await problemOf(response)).toMatchObject({
      status: 400,
      code: "malformed_request",
      issues: [{ path, message }],
    });
    expect(seen).toEqual([]);
  });

  it("is refused where it is not UTF-8", async () => {
    const { key } = await newKey();
    const response = await call("/v1/run", {
      method: "POST",
      headers: { ...bearer(key), "Content-Type": "application/json" },
      body: new Uint8Array([0x7b, 0xff, 0x7d]),
    });
    expect(await problemOf(response)).toMatchObject({ issues: [{ message: "is not UTF-8" }] });
  });

  it.each([["text/plain"], ["application/x-www-form-urlencoded"]])(
    "as %s gets 415",
    async (type) => {
      const { key } = await newKey();
      const response = await postRun(key, SCRIPT, { headers: { "Content-Type": type } });
      expect(await problemOf(response)).toMatchObject({
        status: 415,
        code: "unsupported_media_type",
        detail: "Cannot read the body: its Content-Type must be application/json",
      });
    },
  );
});

describe("a request over a limit", () => {
  it.each([
    ["source", { ...SCRIPT, code: "/".repeat(1_048_577) }, 1_048_576],
    ["input", { ...SCRIPT, input: "x".repeat(1_048_576) }, 1_048_576],
    ["a body", { ...SCRIPT, code: "/".repeat(4_194_304) }, 4_194_304],
  ])("of %s bytes gets 413 naming it", async (what, body, limitBytes) => {
    const { key } = await newKey();
    const response = await postRun(key, body);
    expect(await problemOf(response)).toMatchObject({
      status: 413,
      code: "payload_too_large",
      detail: `Cannot take ${what} of more than ${limitBytes} bytes`,
      limitBytes,
    });
  });

  it("of bytes in a body without a length gets 413, too", async () => {
    const { key } = await newKey();
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(new TextEncoder().encode(" ".repeat(4_194_305)));
        controller.close();
      },
    });
    const response = await call("/v1/run", {
      method: "POST",
      headers: { ...bearer(key), "Content-Type": "application/json" },
      body,
    });
    expect(await problemOf(response)).toMatchObject({ status: 413 });
  });

  it("above its maximum gets 400 with what was asked, the maximum and what set it", async () => {
    const { key } = await newKey();
    const response = await postRun(key, { ...SCRIPT, limits: { memoryMb: 257 } });
    expect(await problemOf(response)).toMatchObject({
      status: 400,
      code: "limit_out_of_range",
      detail:
        "Cannot apply limits.memoryMb: asked for 257, above the maximum of 256 (ISOLATE_MEMORY_MB_MAX)",
      limit: "limits.memoryMb",
      asked: 257,
      maximum: 256,
      setBy: "ISOLATE_MEMORY_MB_MAX",
    });
  });

  it("below its floor gets 400, too", async () => {
    const { key } = await newKey();
    const response = await postRun(key, { ...SCRIPT, limits: { wallMs: 9 } });
    expect(await problemOf(response)).toMatchObject({ code: "limit_out_of_range", minimum: 10 });
  });
});

describe("a key", () => {
  const reasonOf = async (response: Response) => {
    const problem = await problemOf(response);
    expect(problem).toMatchObject({ status: 401, code: "unauthenticated" });
    expect(response.headers.get("WWW-Authenticate")).toBe("Bearer");
    return problem.detail;
  };

  it("that is missing gets 401", async () => {
    const headers = { "Content-Type": "application/json" };
    const response = await call("/v1/run", { method: "POST", headers, body: "{}" });
    expect(await reasonOf(response)).toContain('it has no "Authorization: Bearer"');
  });

  it.each([
    ["nonsense"],
    ["bh_a_b_c"],
    ["bh_acme_baaaaaaaaaaaaaaaa_aaaaaaaaaaaaaaaaaaaaaaaaaa"],
    ["bh_acme_zaaaaaaaaaaaaaaaa_aaaaaaaaaaaaaaaaaaaaaaaaaa"],
    ["x".repeat(10_000)],
  ])("that is forged gets 401 without anyone being asked: %s", async (key) => {
    expect(await reasonOf(await postRun(key))).toContain("the key is not one of ours");
  });

  it.each([
    ["tenant", (key: string) => key.replace(/^bh_[^_]+/, "bh_other")],
    [
      "id",
      (key: string) => key.replace(/(?<=_.{16})(.)(?=_)/, (last) => (last === "a" ? "b" : "a")),
    ],
    ["mac", (key: string) => `${key.slice(0, -1)}${key.endsWith("a") ? "b" : "a"}`],
  ])("with another %s than it was made with gets 401", async (_, change) => {
    const { key } = await newKey("acme");
    const forged = change(key);
    expect(forged).not.toBe(key);
    expect(await reasonOf(await postRun(forged))).toContain("the key is not one of ours");
  });

  it("that was revoked gets 401 from the moment on", async () => {
    const { tenant, keyId, key } = await newKey();
    playExecutors(ended());
    expect((await postRun(key)).status).toBe(200);
    await call(`/admin/tenants/${tenant}/keys/${keyId}`, { method: "DELETE", headers: ADMIN });
    expect(await reasonOf(await postRun(key))).toContain("the key is revoked");
    expect(await reasonOf(await postRun(key, "{"))).toContain("the key is revoked");
  });

  it("that has expired gets 401", async () => {
    const { tenant } = await newKey();
    const expiresAt = new Date(Date.now() + 1_000).toISOString();
    const { key } = await newKey(tenant, { expiresAt });
    await vi.waitUntil(() => Date.now() > Date.parse(expiresAt), { timeout: 5_000 });
    expect(await reasonOf(await postRun(key))).toContain("the key has expired");
  });

  it("signed by a secret that only verifies any more is good", async () => {
    const { KeyRing } = await import("../../gateway/identity/api-keys.ts");
    const old = new KeyRing([{ id: "a", secret: "o".repeat(32) }]);
    const { tenant } = await newKey();
    const { keyId, key } = await old.mint(tenant);
    expect(keyId.startsWith("a")).toBe(true);
    // Right mac, but no tenant knows it.
    expect(await reasonOf(await postRun(key))).toContain("the key is not known");
  });

  it.each([
    [["read"], 403, 200],
    [["run"], 200, 403],
  ] as const)("with the scopes %j gets %i to run and %i to read", async (scopes, run, read) => {
    const { key } = await newKey(undefined, { scopes: [...scopes] });
    playExecutors(ended());
    expect((await postRun(key)).status).toBe(run);
    expect((await call("/v1/limits", { headers: bearer(key) })).status).toBe(read);
  });
});

describe("a lane that is not there", () => {
  it.each([
    ["browser", { action: "screenshot", url: "https://example.com" }, "the request has an action"],
    ["container", { language: "python", code: "print(1)" }, "python runs in containers"],
    ["container", { ...SCRIPT, lane: "container" }, "the request asks for the container lane"],
  ])("the %s lane, gets 501 naming it", async (lane, body, reason) => {
    const { key } = await newKey();
    const response = await postRun(key, body);
    const problem = await problemOf(response);
    expect(problem).toMatchObject({ status: 501, code: "lane_unavailable", lane });
    expect(problem.detail).toContain(reason);
    expect(response.headers.get("RateLimit")).toContain('"tenant";r=100');
  });

  it("gets 400 where the request for it is wrong, too", async () => {
    const { key } = await newKey();
    const response = await postRun(key, { language: "python", code: "1", memory: 1 });
    expect(await problemOf(response)).toMatchObject({ issues: [{ path: "memory" }] });
  });
});

describe("a path", () => {
  it("that is not there gets 404", async () => {
    expect(await problemOf(await call("/v1/nothing"))).toMatchObject({ status: 404 });
  });

  it("asked by another method gets 405 that names the right ones", async () => {
    const response = await call("/v1/run");
    expect(response.headers.get("Allow")).toBe("POST");
    expect(await problemOf(response)).toMatchObject({ status: 405, allow: ["POST"] });
  });
});

describe("a variable that cannot be read", () => {
  const callWith = (variables: object, path: string) =>
    createApp().fetch(
      new Request(ORIGIN + path),
      { ...env, ...variables },
      createExecutionContext(),
    );

  it.each(["/v1/run", "/readyz", "/healthz", "/docs", "/admin/tenants"])(
    "is named on %s, whoever asks",
    async (path) => {
      const response = await callWith({ LEASE_MS: "soon", ADMIN_TOKEN: "short-secret" }, path);
      const problem = await problemOf(response);
      expect(problem).toMatchObject({ status: 500, code: "misconfigured" });
      expect(problem.detail).toBe(
        "Cannot read the configuration: LEASE_MS must be a whole number; ADMIN_TOKEN must have at least 32 characters",
      );
      expect(JSON.stringify(problem)).not.toMatch(/soon|short-secret/);
    },
  );
});

describe("a request's id", () => {
  it("is the client's where it is one, and is on answers and problems", async () => {
    const response = await call("/v1/nothing", { headers: { "X-Request-Id": "mine-1" } });
    expect(response.headers.get("X-Request-Id")).toBe("mine-1");
    expect(await problemOf(response)).toMatchObject({ requestId: "mine-1" });
  });

  it.each([["<script>"], ["a b"], ["x".repeat(300)]])(
    "is made where the client's is none: %s",
    async (id) => {
      const response = await call("/healthz", { headers: { "X-Request-Id": id } });
      expect(response.headers.get("X-Request-Id")).toMatch(/^[0-9a-f-]{36}$/);
    },
  );
});

describe("a page of another origin", () => {
  const preflight = (origin: string, variables: object) =>
    createApp().fetch(
      new Request(`${ORIGIN}/v1/run`, {
        method: "OPTIONS",
        headers: { Origin: origin, "Access-Control-Request-Method": "POST" },
      }),
      { ...env, ...variables },
      createExecutionContext(),
    );

  it("may not call by default", async () => {
    const { headers } = await preflight("https://app.example", {});
    expect(headers.get("Access-Control-Allow-Origin")).toBeNull();
  });

  it("may call where it is listed, and no other", async () => {
    const variables = { CORS_ORIGINS: "https://app.example, https://b.example" };
    const allowed = await preflight("https://app.example", variables);
    expect(allowed.headers.get("Access-Control-Allow-Origin")).toBe("https://app.example");
    const other = await preflight("https://evil.example", variables);
    expect(other.headers.get("Access-Control-Allow-Origin")).toBeNull();
  });
});

it("a failure inside is told to nobody but the log", async () => {
  const logged = vi.spyOn(console, "error").mockReturnValue();
  const app = createApp();
  app.get("/boom", () => {
    throw new RangeError("secret detail");
  });
  const request = new Request(`${ORIGIN}/boom`);
  const problem = await problemOf(await app.fetch(request, env, createExecutionContext()));
  expect(problem).toMatchObject({ status: 500, code: "internal" });
  expect(JSON.stringify(problem)).not.toContain("secret detail");
  expect(logged).toHaveBeenCalledOnce();
});
