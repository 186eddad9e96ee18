import type { IncomingHttpHeaders } from "node:http";
import { createServer as createTcpServer } from "node:net";
import type { Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { setDefaultCACertificates, getCACertificates } from "node:tls";
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from "node:zlib";

import { describe, expect, onTestFinished, test, vi } from "vitest";

import { EgressError } from "../../egress/egress-error.ts";
import { RESPONSE_HEADER_MAX_BYTES } from "../../egress/exchange.ts";
import { guardedFetch } from "../../egress/guarded-fetch.ts";
import type { EgressPolicy, GuardedRequest, GuardedResponse } from "../../egress/guarded-fetch.ts";
import { pinnedConnector } from "../../egress/pinned-connect.ts";
import { REDIRECTS_MAX } from "../../egress/redirect.ts";
import type { Resolve } from "../../egress/resolve.ts";
import { parseNetPattern } from "../../protocol/net-permission.ts";
import { selfSigned } from "./certificate.ts";
import { listening, localServer } from "./local-server.ts";

const never = new AbortController().signal;

function get(url: string, more: Partial<GuardedRequest> = {}): GuardedRequest {
  return { method: "GET", url, headers: [], body: null, redirect: "follow", ...more };
}

function policyFor(hosts: readonly string[], more: Partial<EgressPolicy> = {}): EgressPolicy {
  return {
    net: [parseNetPattern("*")!],
    allowPrivateHosts: hosts,
    timeoutMs: 20_000,
    maxBytes: 1_000_000,
    ...more,
  };
}

/** What a caller saw in the end, head or body: how it ended, and what there was. */
async function read(response: GuardedResponse) {
  if (!response.ok) return { ...response, text: "", head: undefined };
  const chunks: Uint8Array[] = [];
  const sofar = () => ({ text: Buffer.concat(chunks).toString(), head: response.head });
  try {
    for await (const chunk of response.body) chunks.push(chunk);
    return { kind: "ok", message: "", ...sofar() };
  } catch (error) {
    if (!(error instanceof EgressError)) throw error;
    return { kind: error.kind, message: error.message, ...sofar() };
  }
}

async function textOf(response: GuardedResponse): Promise<string> {
  const { kind, message, text } = await read(response);
  if (kind !== "ok") throw new Error(`${kind}: ${message}`);
  return text;
}

/** A server of raw bytes, for what an HTTP server would not say. */
async function rawServer(onSocket: (socket: Socket) => void) {
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    onSocket(socket);
  });
  const port = await listening(server);
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return { host: `127.0.0.1:${port}`, origin: `http://127.0.0.1:${port}` };
}

describe("an exchange", () => {
  test("gives status, headers in order, and body, and leaves no connection", async () => {
    await using server = await localServer((_request, response) => {
      response.writeHead(201, "Made", [
        ["Set-Cookie", "a=1"],
        ["X-A", "1"],
        ["Set-Cookie", "b=2"],
      ]);
      response.end("hello");
    });
    const response = await guardedFetch(
      get(`${server.origin}/path?q=1#part`),
      policyFor([server.host]),
      never,
    );
    const { head, text } = await read(response);
    expect(text).toBe("hello");
    expect(head).toMatchObject({
      status: 201,
      statusText: "Made",
      url: `${server.origin}/path?q=1`,
      redirected: false,
    });
    expect(head?.headers.slice(0, 3)).toEqual([
      ["set-cookie", "a=1"],
      ["x-a", "1"],
      ["set-cookie", "b=2"],
    ]);
    await expect.poll(() => server.connections()).toBe(0);
  });

  test("sends method, headers and body, says its own length, and nothing of the connection's", async () => {
    let seen: { method?: string; headers: IncomingHttpHeaders; body: string } | undefined;
    await using server = await localServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        const sent = Buffer.concat(chunks).toString();
        seen = { method: request.method!, headers: request.headers, body: sent };
        response.end();
      });
    });
    const body = new TextEncoder().encode("héllo");
    await guardedFetch(
      get(server.origin, {
        method: "post",
        headers: [
          ["X-Name", "value"],
          ["Host", "other.example"],
          ["Content-Length", "1"],
          ["Transfer-Encoding", "chunked"],
        ],
        body,
      }),
      policyFor([server.host]),
      never,
    );
    expect(seen).toMatchObject({
      method: "POST",
      body: "héllo",
      headers: {
        host: server.host,
        "x-name": "value",
        "content-length": String(body.byteLength),
        connection: "close",
        "user-agent": "Bulkhead",
      },
    });
    expect(seen?.headers).not.toHaveProperty("transfer-encoding");
  });

  test("keeps no cookie and no connection for the next", async () => {
    const cookies: (string | undefined)[] = [];
    const ports = new Set<number | undefined>();
    await using server = await localServer((request, response) => {
      cookies.push(request.headers.cookie);
      ports.add(request.socket.remotePort);
      response.setHeader("set-cookie", "a=1").end("x");
    });
    for (let i = 0; i < 3; i++) {
      await textOf(await guardedFetch(get(server.origin), policyFor([server.host]), never));
    }
    expect(cookies).toEqual([undefined, undefined, undefined]);
    expect(ports.size).toBe(3);
  });

  test("reads no proxy variable", async () => {
    await using proxy = await localServer((_request, response) => response.end("proxy"));
    await using server = await localServer((_request, response) => response.end("server"));
    const names = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "NODE_USE_ENV_PROXY"];
    for (const name of names) process.env[name] = name.startsWith("NODE") ? "1" : proxy.origin;
    onTestFinished(() => {
      for (const name of names) delete process.env[name];
    });
    const response = await guardedFetch(get(server.origin), policyFor([server.host]), never);
    expect(await textOf(response)).toBe("server");
  });

  test("HEAD and 304 have no body, whatever coding and length they name", async () => {
    await using server = await localServer((request, response) => {
      response.writeHead(request.method === "HEAD" ? 200 : 304, {
        "content-encoding": "gzip",
        "content-length": "99999999",
      });
      response.end();
    });
    for (const method of ["HEAD", "GET"]) {
      const response = await guardedFetch(
        get(server.origin, { method }),
        policyFor([server.host]),
        never,
      );
      expect(await textOf(response)).toBe("");
    }
  });

  test.each(["CONNECT", "TRACE", "TRACK", "GET /x HTTP/1.1\r\nHost: y", "", "Ｇet"])(
    "method %j is refused",
    async (method) => {
      const response = await guardedFetch(get("http://1.1.1.1/", { method }), policyFor([]), never);
      expect(response).toMatchObject({ ok: false, kind: "denied" });
    },
  );

  test("GET with a body, and a header with a line end, are refused", async () => {
    const body = new Uint8Array(1);
    await expect(
      guardedFetch(get("http://1.1.1.1/", { body }), policyFor([]), never),
    ).resolves.toMatchObject({ ok: false, kind: "denied" });
    await expect(
      guardedFetch(get("http://1.1.1.1/", { headers: [["x", "1\r\ny: 2"]] }), policyFor([]), never),
    ).resolves.toMatchObject({ ok: false, kind: "denied" });
  });

  test("a refused connection is a network failure with its code", async () => {
    const server = await localServer(() => {});
    await server[Symbol.asyncDispose]();
    await expect(
      guardedFetch(get(server.origin), policyFor([server.host]), never),
    ).resolves.toEqual({ ok: false, kind: "network", message: "Cannot fetch: ECONNREFUSED" });
  });
});

describe("where it connects", () => {
  test("a host that is not granted hears nothing", async () => {
    let hits = 0;
    await using server = await localServer((_request, response) => response.end(String(++hits)));
    await expect(
      guardedFetch(get(server.origin), { ...policyFor([server.host]), net: [] }, never),
    ).resolves.toMatchObject({ ok: false, kind: "denied" });
    await expect(guardedFetch(get(server.origin), policyFor([]), never)).resolves.toEqual({
      ok: false,
      kind: "denied",
      message: "Cannot fetch: the address is in 127.0.0.0/8 (loopback)",
    });
    expect(hits).toBe(0);
  });

  test("a public name with a private address is refused", async () => {
    let hits = 0;
    await using server = await localServer((_request, response) => response.end(String(++hits)));
    const resolve: Resolve = () => Promise.resolve(["127.0.0.1"]);
    await expect(
      guardedFetch(get(`http://a.example:${server.port}/`), policyFor([]), never, resolve),
    ).resolves.toMatchObject({ ok: false, kind: "denied" });
    expect(hits).toBe(0);
  });

  test("an allowed name is connected to at the address that was resolved, under its own name", async () => {
    await using server = await localServer((request, response) =>
      response.end(request.headers.host),
    );
    const host = `a.example:${server.port}`;
    const resolve: Resolve = () => Promise.resolve(["127.0.0.1"]);
    const response = await guardedFetch(get(`http://${host}/`), policyFor([host]), never, resolve);
    expect(await textOf(response)).toBe(host);
  });

  test("a name that rebinds after its check is not asked for again", async () => {
    let hits = 0;
    await using server = await localServer((_request, response) => response.end(String(++hits)));
    let asked = 0;
    // Public when it is checked, private from then on.
    const resolve: Resolve = () =>
      Promise.resolve(asked++ === 0 ? ["192.31.196.1"] : ["127.0.0.1"]);
    const response = await guardedFetch(
      get(`http://a.example:${server.port}/`),
      policyFor([], { timeoutMs: 300 }),
      never,
      resolve,
    );
    expect(response.ok).toBe(false);
    expect({ asked, hits }).toEqual({ asked: 1, hits: 0 });
  });

  test("a connection to another address than the pinned is refused once more", async () => {
    await using server = await localServer(() => {});
    const connect = pinnedConnector(["127.0.0.2"], never);
    const error = await new Promise((resolve) =>
      connect(
        { hostname: "127.0.0.1", protocol: "http:", port: String(server.port) },
        (...[failure]) => resolve(failure),
      ),
    );
    expect(error).toMatchObject({ kind: "denied" });
    await expect.poll(() => server.connections()).toBe(0);
  });

  test("the next address is tried when one refuses", async () => {
    await using server = await localServer((_request, response) => response.end("here"));
    const host = `a.example:${server.port}`;
    const resolve: Resolve = () => Promise.resolve(["127.0.0.9", "127.0.0.1"]);
    const response = await guardedFetch(get(`http://${host}/`), policyFor([host]), never, resolve);
    expect(await textOf(response)).toBe("here");
  });
});

describe("TLS", () => {
  test("verifies the host's name, not the address's, and fails on another", async () => {
    const { certificate, key } = selfSigned("a.example");
    const trusted = getCACertificates("default");
    setDefaultCACertificates([...trusted, certificate]);
    onTestFinished(() => setDefaultCACertificates(trusted));
    const names: unknown[] = [];
    const server = createTlsServer({ cert: certificate, key }, (socket) => {
      names.push(socket.servername);
      socket.on("error", () => {}).resume();
      socket.end("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    });
    server.on("tlsClientError", () => {});
    const port = await listening(server);
    onTestFinished(() => new Promise((resolve) => server.close(() => resolve())));
    const resolve: Resolve = () => Promise.resolve(["127.0.0.1"]);
    const fetchFrom = (name: string) =>
      guardedFetch(get(`https://${name}:${port}/`), policyFor([`${name}:${port}`]), never, resolve);

    expect(await textOf(await fetchFrom("a.example"))).toBe("ok");
    await expect(fetchFrom("b.example")).resolves.toEqual({
      ok: false,
      kind: "network",
      message: "Cannot fetch: ERR_TLS_CERT_ALTNAME_INVALID",
    });
    expect(names).toEqual(["a.example", "b.example"].slice(0, names.length));
  });

  test("a certificate that nobody vouches for is refused, also with verification switched off outside", async () => {
    const { certificate, key } = selfSigned("a.example");
    const server = createTlsServer({ cert: certificate, key });
    server.on("tlsClientError", () => {});
    const port = await listening(server);
    // Node warns of the variable, which is all that it does here.
    const warned = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
    process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0";
    onTestFinished(async () => {
      delete process.env["NODE_TLS_REJECT_UNAUTHORIZED"];
      warned.mockRestore();
      await new Promise((resolve) => server.close(resolve));
    });
    const response = await guardedFetch(
      get(`https://a.example:${port}/`),
      policyFor([`a.example:${port}`]),
      never,
      () => Promise.resolve(["127.0.0.1"]),
    );
    expect(response).toMatchObject({ ok: false, kind: "network" });
  });
});

describe("redirects", () => {
  test("are followed and seen in the answer", async () => {
    await using server = await localServer((request, response) => {
      if (request.url === "/end") response.end("end");
      else response.writeHead(302, { location: "/end" }).end("a long way");
    });
    const response = await guardedFetch(get(server.origin), policyFor([server.host]), never);
    expect(response).toMatchObject({ head: { redirected: true, url: `${server.origin}/end` } });
    expect(await textOf(response)).toBe("end");
  });

  test("are followed at most five times", async () => {
    let left = REDIRECTS_MAX;
    await using server = await localServer((_request, response) => {
      if (left-- > 0) response.writeHead(302, { location: "/next" });
      response.end("end");
    });
    const policy = policyFor([server.host]);
    expect(await textOf(await guardedFetch(get(server.origin), policy, never))).toBe("end");
    left = REDIRECTS_MAX + 1;
    await expect(guardedFetch(get(server.origin), policy, never)).resolves.toMatchObject({
      ok: false,
      kind: "network",
      message: "Cannot follow more than 5 redirects",
    });
  });

  test.each([
    "http://127.0.0.1:1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://[::1]/",
    "http://2130706433/",
    "//localhost/",
    "http://metadata.google.internal/",
    "http://user:password@1.1.1.1/",
    "file:///etc/passwd",
    "data:text/plain,x",
    "gopher://1.1.1.1/",
  ])("to %s are refused", async (location) => {
    await using server = await localServer((_request, response) =>
      response.writeHead(302, { location }).end(),
    );
    await expect(
      guardedFetch(get(server.origin), policyFor([server.host]), never),
    ).resolves.toMatchObject({ ok: false, kind: "denied" });
  });

  test("to a host that was not granted are refused", async () => {
    let hits = 0;
    await using other = await localServer((_request, response) => response.end(String(++hits)));
    await using server = await localServer((_request, response) =>
      response.writeHead(307, { location: other.origin }).end(),
    );
    const policy = {
      ...policyFor([server.host, other.host]),
      net: [parseNetPattern(server.host)!],
    };
    await expect(guardedFetch(get(server.origin), policy, never)).resolves.toMatchObject({
      ok: false,
      kind: "denied",
    });
    expect(hits).toBe(0);
  });

  test("are resolved anew, and a name that has turned private is refused", async () => {
    await using server = await localServer((_request, response) =>
      response.writeHead(302, { location: `http://b.example:${server.port}/` }).end(),
    );
    await expect(
      guardedFetch(
        get(`http://a.example:${server.port}/`),
        policyFor([`a.example:${server.port}`]),
        never,
        () => Promise.resolve(["127.0.0.1"]),
      ),
    ).resolves.toMatchObject({ ok: false, kind: "denied" });
  });

  test("lose credentials on the way to another origin", async () => {
    let seen: IncomingHttpHeaders = {};
    await using other = await localServer((request, response) => {
      seen = request.headers;
      response.end();
    });
    await using server = await localServer((_request, response) =>
      response.writeHead(307, { location: other.origin }).end(),
    );
    const headers = [
      ["Authorization", "Bearer t"],
      ["Cookie", "a=b"],
      ["X-Kept", "1"],
    ] as const;
    await guardedFetch(
      get(server.origin, { headers }),
      policyFor([server.host, other.host]),
      never,
    );
    expect(seen).toMatchObject({ host: other.host, "x-kept": "1" });
    expect(seen).not.toHaveProperty("authorization");
    expect(seen).not.toHaveProperty("cookie");
  });

  test("are given as they are when asked for by hand, and fail when not wanted", async () => {
    await using server = await localServer((_request, response) =>
      response.writeHead(302, { location: "/end" }).end("here"),
    );
    const policy = policyFor([server.host]);
    const manual = await guardedFetch(get(server.origin, { redirect: "manual" }), policy, never);
    expect(await read(manual)).toMatchObject({
      text: "here",
      head: { status: 302, redirected: false },
    });
    await expect(
      guardedFetch(get(server.origin, { redirect: "error" }), policy, never),
    ).resolves.toMatchObject({ ok: false, kind: "network" });
  });
});

describe("a response's size", () => {
  test.each([
    ["with its length said", true],
    ["without", false],
  ])("is taken up to the cap, refused over it: %s", async (_name, says) => {
    await using server = await localServer((request, response) => {
      const body = Buffer.alloc(Number(request.url!.slice(1)));
      if (says) response.setHeader("content-length", body.byteLength);
      response.write(body.subarray(0, 1));
      response.end(body.subarray(1));
    });
    const policy = policyFor([server.host], { maxBytes: 5000 });
    const under = await guardedFetch(get(`${server.origin}/5000`), policy, never);
    expect(await textOf(under)).toHaveLength(5000);
    const over = await guardedFetch(get(`${server.origin}/5001`), policy, never);
    expect(await read(over)).toMatchObject({ kind: "too_large" });
    const overridden = policyFor([server.host], { maxBytes: 5001 });
    const more = await guardedFetch(get(`${server.origin}/5001`), overridden, never);
    expect(await textOf(more)).toHaveLength(5001);
    await expect.poll(() => server.connections()).toBe(0);
  });

  test("is never more than the cap, however long the server goes on", async () => {
    await using server = await localServer((_request, response) => {
      const pump = () => {
        while (response.write(Buffer.alloc(65_536)));
        response.once("drain", pump);
      };
      pump();
    });
    const response = await guardedFetch(get(server.origin), policyFor([server.host]), never);
    expect(await read(response)).toMatchObject({ kind: "too_large" });
    await expect.poll(() => server.connections()).toBe(0);
  });

  test.each([
    ["gzip", gzipSync],
    ["x-gzip", gzipSync],
    ["br", brotliCompressSync],
    ["deflate", deflateSync],
    ["deflate", deflateRawSync],
    ["deflate, gzip", (body: Buffer) => gzipSync(deflateSync(body))],
  ])("is that of what %s decodes to", async (coding, encode) => {
    await using server = await localServer((request, response) => {
      const body = encode(Buffer.alloc(Number(request.url!.slice(1)), "a"));
      response.writeHead(200, { "content-encoding": coding, "content-length": body.byteLength });
      response.end(body);
    });
    const policy = policyFor([server.host], { maxBytes: 100_000 });
    const under = await guardedFetch(get(`${server.origin}/100000`), policy, never);
    const { text, head } = await read(under);
    expect(text).toBe("a".repeat(100_000));
    const names = head?.headers.map(([name]) => name);
    expect(names).not.toContain("content-encoding");
    expect(names).not.toContain("content-length");
    const bomb = await guardedFetch(get(`${server.origin}/30000000`), policy, never);
    expect(await read(bomb)).toMatchObject({ kind: "too_large" });
    await expect.poll(() => server.connections()).toBe(0);
  });

  test("counts what comes over the wire, too, so that codings of nothing end", async () => {
    const nothing = gzipSync("");
    await using server = await localServer((_request, response) => {
      response.writeHead(200, { "content-encoding": "gzip" });
      const chunk = Buffer.concat(Array.from({ length: 1000 }, () => nothing));
      const pump = () => {
        while (response.write(chunk));
        response.once("drain", pump);
      };
      pump();
    });
    const policy = policyFor([server.host], { maxBytes: 100_000 });
    const response = await guardedFetch(get(server.origin), policy, never);
    expect(await read(response)).toMatchObject({ kind: "too_large" });
  });

  test.each([
    ["is broken", "not gzip at all"],
    ["ends early", gzipSync("a".repeat(1000)).subarray(0, 15)],
  ])("a coding that %s is a network failure", async (_name, body) => {
    await using server = await localServer((_request, response) =>
      response.writeHead(200, { "content-encoding": "gzip" }).end(body),
    );
    const response = await guardedFetch(get(server.origin), policyFor([server.host]), never);
    expect(await read(response)).toMatchObject({ kind: "network" });
  });

  test("a coding that we cannot decode is a network failure", async () => {
    await using server = await localServer((_request, response) =>
      response.writeHead(200, { "content-encoding": "exotic" }).end("x"),
    );
    await expect(
      guardedFetch(get(server.origin), policyFor([server.host]), never),
    ).resolves.toMatchObject({ ok: false, kind: "network" });
  });

  test("of headers is capped", async () => {
    const answer = (bytes: number) =>
      `HTTP/1.1 200 OK\r\nx: ${"1".repeat(bytes)}\r\ncontent-length: 0\r\n\r\n`;
    const under = await rawServer((socket) => socket.end(answer(RESPONSE_HEADER_MAX_BYTES - 100)));
    const over = await rawServer((socket) => socket.end(answer(RESPONSE_HEADER_MAX_BYTES + 1)));
    await expect(
      guardedFetch(get(under.origin), policyFor([under.host]), never),
    ).resolves.toMatchObject({ ok: true });
    await expect(
      guardedFetch(get(over.origin), policyFor([over.host]), never),
    ).resolves.toMatchObject({ ok: false, kind: "too_large" });
  });
});

describe("a server that misbehaves", () => {
  test.each([
    ["says no HTTP", "SSH-2.0-OpenSSH_9\r\n"],
    ["says two lengths", "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab"],
    [
      "says length and chunks",
      "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
    ],
    ["hangs up at once", ""],
  ])("by what it says is a network failure: it %s", async (_name, bytes) => {
    const server = await rawServer((socket) => socket.end(bytes));
    const response = await guardedFetch(get(server.origin), policyFor([server.host]), never);
    expect(await read(response)).toMatchObject({ kind: "network" });
  });

  test("by ending early is a network failure", async () => {
    const server = await rawServer((socket) =>
      socket.end("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc"),
    );
    const response = await guardedFetch(get(server.origin), policyFor([server.host]), never);
    expect(await read(response)).toMatchObject({ kind: "network" });
  });

  test("by silence is a time-out, before its headers and within its body", async () => {
    const silent = await rawServer(() => {});
    await expect(
      guardedFetch(get(silent.origin), policyFor([silent.host], { timeoutMs: 50 }), never),
    ).resolves.toEqual({ ok: false, kind: "timeout", message: "Cannot fetch within 50 ms" });

    await using slow = await localServer((_request, response) => {
      response.write("a");
    });
    const response = await guardedFetch(
      get(slow.origin),
      policyFor([slow.host], { timeoutMs: 500 }),
      never,
    );
    expect(await read(response)).toMatchObject({ kind: "timeout" });
    await expect.poll(() => slow.connections()).toBe(0);
  });

  test("by dripping is held to one deadline for the whole exchange", async () => {
    await using server = await localServer((_request, response) => {
      const timer = setInterval(() => response.write("a"), 20);
      response.on("close", () => clearInterval(timer));
    });
    const response = await guardedFetch(
      get(server.origin),
      policyFor([server.host], { timeoutMs: 300 }),
      never,
    );
    expect(await read(response)).toMatchObject({ kind: "timeout" });
  });
});

describe("a caller that leaves", () => {
  test("before, while it waits, and while it reads, ends the exchange", async () => {
    await using server = await localServer((request, response) => {
      if (request.url === "/body") response.write("a");
    });
    const policy = policyFor([server.host]);
    await expect(
      guardedFetch(get(server.origin), policy, AbortSignal.abort()),
    ).resolves.toMatchObject({ ok: false, kind: "network", message: expect.any(String) as string });

    const waiting = new AbortController();
    const asked = guardedFetch(get(server.origin), policy, waiting.signal);
    await expect.poll(() => server.connections()).toBe(1);
    waiting.abort();
    await expect(asked).resolves.toMatchObject({ ok: false, kind: "network" });

    const reading = new AbortController();
    const response = await guardedFetch(get(`${server.origin}/body`), policy, reading.signal);
    const seen = read(response);
    reading.abort();
    expect(await seen).toMatchObject({ kind: "network" });
    await expect.poll(() => server.connections()).toBe(0);
  });

  test("without reading the body has its connection closed by the abort", async () => {
    await using server = await localServer((_request, response) => {
      response.write("a");
    });
    const caller = new AbortController();
    await guardedFetch(get(server.origin), policyFor([server.host]), caller.signal);
    caller.abort();
    await expect.poll(() => server.connections()).toBe(0);
  });

  test("in the middle of the body has its connection closed", async () => {
    await using server = await localServer((_request, response) => {
      response.write("a");
    });
    const response = await guardedFetch(get(server.origin), policyFor([server.host]), never);
    const reader = response.ok ? response.body[Symbol.asyncIterator]() : undefined;
    await expect(reader?.next()).resolves.toMatchObject({ done: false });
    await reader?.return?.();
    await expect.poll(() => server.connections()).toBe(0);
  });
});
