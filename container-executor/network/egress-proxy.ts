import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { pipeline } from "node:stream/promises";

import { EgressError } from "../../egress/egress-error.ts";
import { guardedFetch } from "../../egress/guarded-fetch.ts";
import { pinnedConnector } from "../../egress/pinned-connect.ts";
import { resolveTarget } from "../../egress/resolve.ts";
import { readBody } from "../../executor-http/read-body.ts";
import type { NetPattern } from "../../protocol/net-permission.ts";
import { checkUrl } from "../../protocol/url-policy.ts";
import type { ProxyCredentials } from "./proxy-credentials.ts";

/** Of one plain request's body, which is held whole. */
const REQUEST_MAX_BYTES = 64 * 1024 * 1024;
const RESPONSE_MAX_BYTES = 1024 * 1024 * 1024;
/** Of one plain request; a run's own wall limit ends it sooner. */
const EXCHANGE_MAX_MS = 600_000;
const CONNECT_MAX_MS = 10_000;
/** A tunnel through which nothing goes for so long is closed. */
const TUNNEL_IDLE_MS = 120_000;
const TUNNELS_PER_PROXY = 1024;

export interface EgressProxyParts {
  readonly credentials: ProxyCredentials;
  /** As `HostPolicy` has them: for development and tests. */
  readonly allowPrivateHosts: readonly string[];
}

/**
 * The one way out of a granted network: an HTTP proxy, plain and `CONNECT`, that knows each run by
 * its credentials. It resolves names itself, checks every address, and connects to a checked one.
 */
export class EgressProxy {
  readonly #parts: EgressProxyParts;
  readonly #server: Server;
  readonly #sockets = new Set<Duplex>();

  constructor(parts: EgressProxyParts) {
    this.#parts = parts;
    this.#server = createServer((request, response) => {
      request.on("error", () => {});
      response.on("error", () => {});
      void this.#forward(request, response);
    });
    this.#server.maxConnections = TUNNELS_PER_PROXY;
    this.#server.on("connect", (request: IncomingMessage, client: Duplex, head: Buffer) => {
      client.on("error", () => {});
      void this.#tunnel(request, client, head);
    });
  }

  /** Listens there; port 0 takes a free one. */
  async listen(host: string, port: number): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(port, host, () => {
        this.#server.off("error", reject);
        resolve();
      });
    });
    return (this.#server.address() as AddressInfo).port;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
    for (const socket of this.#sockets) socket.destroy();
  }

  async #forward(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const net = this.#hostsOf(request);
    if (net === undefined) {
      response.writeHead(407, { "Proxy-Authenticate": 'Basic realm="bulkhead"' }).end();
      return;
    }
    const body = await readBody(request, REQUEST_MAX_BYTES);
    if (body.kind === "broken") return;
    if (body.kind === "too-large") return refuse(response, 413, "the request's body is too large");
    const left = new AbortController();
    response.once("close", () => {
      left.abort();
    });
    const { method = "GET", url = "" } = request;
    const bodiless = body.bytes.byteLength === 0;
    const answer = await guardedFetch(
      {
        method,
        url,
        headers: headerPairs(request.rawHeaders),
        body: bodiless ? null : body.bytes,
        redirect: "manual",
      },
      {
        net,
        allowPrivateHosts: this.#parts.allowPrivateHosts,
        timeoutMs: EXCHANGE_MAX_MS,
        maxBytes: RESPONSE_MAX_BYTES,
      },
      left.signal,
    );
    if (!answer.ok) return refuse(response, statusOf(answer.kind), answer.message);
    const { status, statusText, headers } = answer.head;
    try {
      response.writeHead(status, statusText, forwarded(headers).flat());
      await pipeline(answer.body, response);
    } catch {
      response.destroy();
    }
  }

  async #tunnel(request: IncomingMessage, client: Duplex, head: Buffer): Promise<void> {
    this.#sockets.add(client);
    client.once("close", () => this.#sockets.delete(client));
    const net = this.#hostsOf(request);
    if (net === undefined) {
      client.end(
        'HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="bulkhead"\r\nContent-Length: 0\r\n\r\n',
      );
      return;
    }
    const opened = await this.#open(request.url ?? "", net);
    if (typeof opened === "string") {
      const text = `${opened}\n`;
      client.end(
        `HTTP/1.1 403 Forbidden\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
      );
      return;
    }
    this.#sockets.add(opened);
    opened.once("close", () => this.#sockets.delete(opened));
    opened.setTimeout(TUNNEL_IDLE_MS, () => opened.destroy());
    client.write("HTTP/1.1 200 Connection Established\r\n\r\n");
    if (head.byteLength > 0) opened.write(head);
    await Promise.allSettled([pipeline(client, opened), pipeline(opened, client)]);
    opened.destroy();
    client.destroy();
  }

  /** A connection to the authority `host:port`, or why there is none. */
  async #open(authority: string, net: readonly NetPattern[]): Promise<Socket | string> {
    const verdict = checkUrl(`https://${authority}/`, {
      net,
      allowPrivateHosts: this.#parts.allowPrivateHosts,
    });
    if (!verdict.allowed) return `Cannot connect: ${verdict.reason}`;
    const { target } = verdict;
    const late = AbortSignal.timeout(CONNECT_MAX_MS);
    try {
      const addresses = await resolveTarget(target, late);
      // A tunnel outlives the time to make it.
      const lifetime = new AbortController();
      late.addEventListener("abort", () => {
        if (!connected) lifetime.abort();
      });
      let connected = false;
      return await new Promise<Socket>((resolve, reject) => {
        const connect = pinnedConnector(addresses, lifetime.signal);
        // In the tunnel the run speaks for itself, TLS and all.
        const options = {
          hostname: target.hostname,
          host: target.hostname,
          protocol: "http:",
          port: String(target.port),
        };
        connect(options, (...[error, socket]) => {
          if (error !== null) return reject(error);
          connected = true;
          resolve(socket);
        });
      });
    } catch (error) {
      return error instanceof EgressError ? error.message : "Cannot connect: nothing answers there";
    }
  }

  #hostsOf(request: IncomingMessage): readonly NetPattern[] | undefined {
    return this.#parts.credentials.hostsOf(request.headers["proxy-authorization"]);
  }
}

const HOP_HEADERS: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
]);

function headerPairs(raw: readonly string[]): readonly (readonly [string, string])[] {
  const pairs: (readonly [string, string])[] = [];
  for (let at = 0; at + 1 < raw.length; at += 2) pairs.push([raw[at] ?? "", raw[at + 1] ?? ""]);
  return pairs;
}

const forwarded = (headers: readonly (readonly [string, string])[]): string[][] =>
  headers.filter(([name]) => !HOP_HEADERS.has(name)).map(([name, value]) => [name, value]);

function statusOf(kind: "denied" | "network" | "timeout" | "too_large"): number {
  switch (kind) {
    case "denied":
      return 403;
    case "timeout":
      return 504;
    case "network":
    case "too_large":
      return 502;
  }
}

function refuse(response: ServerResponse, status: number, why: string): void {
  response.writeHead(status, { "Content-Type": "text/plain; charset=utf-8" }).end(`${why}\n`);
}
