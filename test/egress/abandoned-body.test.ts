import { once } from "node:events";
import { createServer } from "node:net";
import type { Socket } from "node:net";

import { afterEach, beforeEach, expect, test } from "vitest";

import { EgressError } from "../../egress/egress-error.ts";
import { guardedFetch } from "../../egress/guarded-fetch.ts";
import { parseNetPattern } from "../../protocol/net-permission.ts";
import { listening } from "./local-server.ts";

/** What the network library threw where nobody can catch it: it ends a service. */
let uncaught: unknown[] = [];
const note = (error: unknown): void => void uncaught.push(error);

beforeEach(() => {
  uncaught = [];
  process.prependListener("uncaughtException", note);
});
afterEach(() => {
  process.off("uncaughtException", note);
});

/** The connection's end is its body's: nothing else says where that ends. */
const HEADS = [
  ["without a length", "HTTP/1.1 200 OK\r\n\r\n"],
  ["of HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\n"],
  ["that is the last of its connection", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"],
] as const;

const ENDS = [
  ["its reader gives it up", 20_000],
  ["its time is up", 200],
] as const;

test.each(HEADS.flatMap(([what, head]) => ENDS.map((end) => [what, ...end, head] as const)))(
  "a body %s harms nobody but its reader when %s",
  async (_what, _end, timeoutMs, head) => {
    const server = createServer();
    const port = await listening(server);
    const connected = once(server, "connection") as Promise<[Socket]>;
    const reader = new AbortController();
    const host = `127.0.0.1:${port}`;
    const url = `http://${host}/`;
    const fetching = guardedFetch(
      { method: "GET", url, headers: [], body: null, redirect: "follow" },
      {
        net: [parseNetPattern("*")!],
        allowPrivateHosts: [host],
        timeoutMs,
        maxBytes: 1000,
      },
      reader.signal,
    );
    const [socket] = await connected;
    socket.on("error", () => {});
    // Its end is only noticed while it is read.
    const closed = once(socket.resume(), "close");
    socket.write(`${head}begun`);

    const response = await fetching;
    if (!response.ok) throw new Error(response.message);
    const body = response.body[Symbol.asyncIterator]();
    await body.next();
    const rest = body.next();
    const failure = rest.catch((error: unknown) => error);
    if (timeoutMs > 10_000) reader.abort();

    expect(await failure).toBeInstanceOf(EgressError);
    await closed;
    expect(uncaught).toEqual([]);
    server.close();
  },
);
