import { describe, expect, test } from "vitest";

import { localServer } from "../../egress/local-server.ts";
import { programs } from "./program.ts";

/** What the local server saw, newest last. */
const seen: { method: string; url: string; headers: Record<string, unknown>; body: string }[] = [];

const server = await localServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    const { method = "", url = "", headers } = request;
    seen.push({ method, url, headers, body: Buffer.concat(chunks).toString() });
    answer(url, (status, head, body) => response.writeHead(status, head).end(body));
    if (url.startsWith("/drip")) response.write("a");
    if (url === "/stream") {
      response.write("one ");
      setImmediate(() => response.end("two"));
    }
  });
});

function answer(
  url: string,
  send: (status: number, head: Record<string, string | string[]>, body?: string | Buffer) => void,
): void {
  const { pathname, searchParams } = new URL(url, "http://localhost");
  switch (pathname) {
    case "/hello":
      return send(200, { "x-a": "1", "set-cookie": ["a=1", "b=2"] }, "hellö");
    case "/json":
      return send(200, { "content-type": "application/json" }, `{"a":1}`);
    case "/missing":
      return send(404, {}, "no");
    case "/to":
      return send(302, { location: searchParams.get("url") ?? "/hello" });
    case "/bytes":
      return send(200, {}, Buffer.alloc(Number(searchParams.get("n")), "a"));
  }
}

const { run, value } = programs(
  { EGRESS_ALLOW_PRIVATE_HOSTS: `${server.host},127.0.0.1:1` },
  async () => {
    await server[Symbol.asyncDispose]();
  },
);
const net = [server.host];
const at = (path: string): string => JSON.stringify(server.origin + path);

describe("fetch, with permission,", () => {
  test("gives status, headers, cookies and body", async () => {
    const result = await run({
      code: `export default async () => { const r = await fetch(${at("/hello")}); return [r.status, r.ok, r.url, r.redirected, r.headers.get("X-A"), r.headers.getSetCookie(), await r.text(), r.type]; };`,
      net,
    });
    expect(value(result)).toEqual([
      200,
      true,
      `${server.origin}/hello`,
      false,
      "1",
      ["a=1", "b=2"],
      "hellö",
      "basic",
    ]);
    expect(result.usage.fetches).toBe(1);
  });

  test("sends method, headers and each kind of body, and nothing of the connection's", async () => {
    seen.length = 0;
    const result = await run({
      code: `
        const url = ${at("/hello")};
        const send = async (body, headers = {}) => { await (await fetch(url, { method: "POST", body, headers: { ...headers, host: "evil.example", connection: "x", "transfer-encoding": "chunked" } })).text(); };
        export default async () => {
          await send("text"); await send(new Uint8Array([104, 105])); await send(new URLSearchParams({ a: "1 2" })); await send(new Blob(["blob"], { type: "text/x" }));
          await send(JSON.stringify({ a: 1 }), { "content-type": "application/json" }); await send(ReadableStream.from(["st", "ream"]).pipeThrough(new TextEncoderStream()));
        };`,
      language: "javascript",
      net,
    });
    expect(result.outcome).toBe("ok");
    expect(seen.map(({ body }) => body)).toEqual([
      "text",
      "hi",
      "a=1+2",
      "blob",
      `{"a":1}`,
      "stream",
    ]);
    expect(seen.map(({ headers }) => headers["content-type"])).toEqual([
      "text/plain;charset=UTF-8",
      undefined,
      "application/x-www-form-urlencoded;charset=UTF-8",
      "text/x",
      "application/json",
      undefined,
    ]);
    for (const { headers } of seen) expect(headers["host"]).toBe(server.host);
  });

  test("streams the body", async () => {
    const result = await run({
      code: `export default async () => { let text = ""; for await (const chunk of (await fetch(${at("/stream")})).body!.pipeThrough(new TextDecoderStream())) text += chunk; return text; };`,
      net,
    });
    expect(value(result)).toBe("one two");
  });

  test("makes several at once", async () => {
    const result = await run({
      code: `export default () => Promise.all([1, 2, 3, 4, 5].map(async (n) => (await (await fetch(${at("/bytes?n=")} + n)).text()).length));`,
      net,
    });
    expect(value(result)).toEqual([1, 2, 3, 4, 5]);
    expect(result.usage.fetches).toBe(5);
  });

  test("follows redirects, or gives them, or fails", async () => {
    const result = await run({
      code: `
        const url = ${at("/to")};
        export default async () => {
          const followed = await fetch(url); const manual = await fetch(url, { redirect: "manual" });
          const failed = await fetch(url, { redirect: "error" }).catch((error) => error.name);
          return [followed.redirected, new URL(followed.url).pathname, manual.status, manual.headers.get("location"), failed];
        };`,
      net,
    });
    expect(value(result)).toEqual([true, "/hello", 302, "/hello", "TypeError"]);
  });

  test("is aborted by its signal", async () => {
    const result = await run({
      code: `export default async () => { const before = await fetch(${at("/hello")}, { signal: AbortSignal.abort() }).catch((error) => error.name); const during = await fetch(${at("/drip")}, { signal: AbortSignal.timeout(50) }).then((r) => r.text()).catch((error) => error.name); return [before, during]; };`,
      net,
    });
    expect(value(result)).toEqual(["AbortError", "TimeoutError"]);
  });

  test("gives a 404 as a response, and a refused connection as a TypeError", async () => {
    const result = await run({
      code: `export default async () => [(await fetch(${at("/missing")})).status, await fetch("http://127.0.0.1:1/").catch((error) => error.name)];`,
      net: [...net, "127.0.0.1:1"],
    });
    expect(value(result)).toEqual([404, "TypeError"]);
  });

  test("that nobody waited for ends with the run", async () => {
    const result = await run({
      code: `export default () => { void fetch(${at("/drip")}); return 1; };`,
      net,
    });
    expect(value(result)).toBe(1);
    await expect.poll(() => server.connections(), { timeout: 5000 }).toBe(0);
  });

  test("of a run that is stopped ends with it", async () => {
    const result = await run({
      code: `export default async () => (await fetch(${at("/drip")})).text();`,
      net,
      caps: { wallMs: 300 },
    });
    expect(result.outcome).toBe("wall_timeout");
    await expect.poll(() => server.connections(), { timeout: 5000 }).toBe(0);
  });
});

describe("fetch is refused", () => {
  const refusal = (url: string): string =>
    `export default () => fetch(${JSON.stringify(url)}).then((r) => "got " + r.status, (error) => error.name + ": " + error.message);`;

  test("without permission, and says which host it wanted", async () => {
    seen.length = 0;
    const result = await run({ code: refusal(`${server.origin}/hello`) });
    expect(value(result)).toMatch(/^(?:TypeError|NotCapable): .*127\.0\.0\.1/);
    expect(seen).toEqual([]);
  });

  test("for another port or host than was granted", async () => {
    const denied = /^(?:TypeError|NotCapable): /;
    expect(value(await run({ code: refusal(`${server.origin}/`), net: ["127.0.0.1:1"] }))).toMatch(
      denied,
    );
    expect(value(await run({ code: refusal("http://a.example/"), net: ["b.example"] }))).toMatch(
      denied,
    );
    expect(value(await run({ code: refusal("http://a.example/"), net: ["*.a.example"] }))).toMatch(
      denied,
    );
  });

  test("for a redirect out of what was granted, before anything is sent there", async () => {
    const targets = [
      "http://127.0.0.1:1/",
      "http://localhost/",
      "http://169.254.169.254/",
      "http://[::1]/",
      "file:///etc/passwd",
      "http://u:p@127.0.0.1/",
    ];
    const got: unknown[] = [];
    for (const target of targets) {
      const url = `${server.origin}/to?url=${encodeURIComponent(target)}`;
      const result = await run({ code: refusal(url), net: ["*"] });
      got.push(value(result));
    }
    expect(got).toEqual(
      targets.map(() => expect.stringMatching(/^(?:TypeError|NotCapable): /) as string),
    );
  });

  test("for each way to write an address that is not public, with any host granted", async () => {
    const urls = [
      "http://127.0.0.1/",
      "http://127.1/",
      "http://0/",
      "http://0.0.0.0/",
      "http://0x7f.1/",
      "http://0x7f000001/",
      "http://0177.0.0.1/",
      "http://2130706433/",
      "http://127.0.0.1./",
      "http://１２７.0.0.1/",
      "http://127。0。0。1/",
      "http://127%2e0.0.1/",
      "http://[::1]/",
      "http://[::]/",
      "http://[::ffff:127.0.0.1]/",
      "http://[::ffff:7f00:1]/",
      "http://[::127.0.0.1]/",
      "http://[64:ff9b::7f00:1]/",
      "http://[2002:7f00:1::]/",
      "http://[2001::1]/",
      "http://[fe80::1]/",
      "http://[fc00::1]/",
      "http://[ff02::1]/",
      "http://[2001:db8::1]/",
      "http://10.0.0.1/",
      "http://172.16.0.1/",
      "http://192.168.0.1/",
      "http://100.64.0.1/",
      "http://169.254.169.254/latest/meta-data/",
      "http://2852039166/",
      "http://100.100.100.200/",
      "http://168.63.129.16/",
      "http://192.0.0.192/",
      "http://198.18.0.1/",
      "http://224.0.0.1/",
      "http://255.255.255.255/",
      "http://localhost/",
      "http://LOCALHOST./",
      "http://a.localhost/",
      "http://metadata/",
      "http://metadata.google.internal/",
      "http://printer.local/",
      "http://1.1.1.1:22/",
      "http://1.1.1.1:6379/",
      "http://1.1.1.1:2375/",
      "http://user@1.1.1.1/",
      "http://user:pass@1.1.1.1/",
      "file:///etc/passwd",
      "ftp://1.1.1.1/",
      "gopher://1.1.1.1/",
      "ws://1.1.1.1/",
      "unix:/var/run/docker.sock",
      "node:fs",
    ];
    const result = await run({
      language: "javascript",
      code: `export default async (urls) => { const got = []; for (const url of urls) await fetch(url).then((r) => got.push([url, r.status]), (error) => { if (error.name !== "TypeError" && error.name !== "NotCapable") got.push([url, error.name]); }); return got; };`,
      input: urls,
      net: ["*"],
      caps: { fetches: urls.length, wallMs: 10_000 },
    });
    expect(value(result)).toEqual([]);
  });

  test.each([
    ["a header with a line end", `fetch(URL_, { headers: [["x", "1\\r\\nhost: evil"]] })`],
    ["a header name with a colon", `fetch(URL_, { headers: [["x:", "1"]] })`],
    ["a method with a line end", `fetch(URL_, { method: "GET / HTTP/1.1\\r\\nx: y" })`],
    ["CONNECT", `fetch(URL_, { method: "CONNECT" })`],
    ["a method of a hundred letters", `fetch(URL_, { method: "A".repeat(100) })`],
    [
      "thousands of headers",
      `fetch(URL_, { headers: Array.from({ length: 5000 }, (_, i) => ["k" + i, "v"]) })`,
    ],
    ["headers of megabytes", `fetch(URL_, { headers: { x: "v".repeat(5e6) } })`],
    ["a URL of megabytes", `fetch(URL_ + "?" + "a".repeat(5e6))`],
    ["GET with a body", `fetch(URL_, { body: "x" })`],
  ])("for %s", async (_name, call) => {
    seen.length = 0;
    const result = await run({
      language: "javascript",
      code: `export default async () => { try { await ${call.replace("URL_", at("/hello"))}; return "sent"; } catch (error) { return error.name; } };`,
      net,
    });
    expect(value(result)).toBe("TypeError");
    expect(seen).toEqual([]);
  });
});

describe("the caps of fetch", () => {
  const many = `export default async (n) => { let done = 0; for (let i = 0; i < n; i++) await fetch(${at("/bytes?n=10")}).then((r) => r.text()).then(() => done++, () => {}); return done; };`;

  test("count what a run starts: under, over, overridden", async () => {
    expect(value(await run({ code: many, input: 3, net, caps: { fetches: 3 } }))).toBe(3);
    expect(value(await run({ code: many, input: 5, net, caps: { fetches: 3 } }))).toBe(3);
    expect(value(await run({ code: many, input: 5, net, caps: { fetches: 5 } }))).toBe(5);
  });

  test("count bytes of all responses together: under, over, overridden", async () => {
    const code = `export default async (sizes) => { const got = []; for (const n of sizes) got.push(await fetch(${at("/bytes?n=")} + n).then((r) => r.text()).then((text) => text.length, (error) => error.name)); return got; };`;
    expect(value(await run({ code, input: [500, 500], net, caps: { fetchBytes: 1000 } }))).toEqual([
      500, 500,
    ]);
    expect(value(await run({ code, input: [500, 501], net, caps: { fetchBytes: 1000 } }))).toEqual([
      500,
      "TypeError",
    ]);
    expect(value(await run({ code, input: [500, 501], net, caps: { fetchBytes: 1001 } }))).toEqual([
      500, 501,
    ]);
  });

  test("bound one exchange's time: under, over, overridden", async () => {
    const code = `export default (path) => fetch(${at("")} + path).then((r) => r.text()).then((text) => text.length, (error) => error.name);`;
    expect(value(await run({ code, input: "/hello", net, caps: { fetchMs: 2000 } }))).toBe(5);
    expect(value(await run({ code, input: "/drip", net, caps: { fetchMs: 100 } }))).toMatch(
      /^(?:TypeError|TimeoutError)$/,
    );
    const overridden = await run({
      code,
      input: "/drip",
      net,
      caps: { fetchMs: 20_000, wallMs: 400 },
    });
    expect(overridden.outcome).toBe("wall_timeout");
  });
});
