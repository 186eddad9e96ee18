import { isHostGranted, parseNetPattern } from "../../../protocol/net-permission.ts";
import { onDelivery } from "../deliveries.ts";
import { NotCapable } from "../deno-errors.ts";
import { GUEST_FETCH_MAX } from "../host-ops.ts";
import { load } from "../lazy-modules.ts";
import { ops } from "../ops.ts";
import { beginPending, endPending } from "../pending.ts";
import { currentRun, onBoot } from "../run-state.ts";
import { onAbort } from "./abort.ts";
import type { BodySource } from "./body.ts";
import { DOMException } from "./dom-exception.ts";
import { headerEntries } from "./headers.ts";
import { joinBytes, toLatin1 } from "./idl.ts";
import { IncomingBody } from "./incoming-body.ts";
import { Request, takeRequestBody } from "./request.ts";
import { fetchedResponse, type Response } from "./response.ts";
import { URL } from "./url.ts";

const DEFAULT_PORTS: Readonly<Record<string, number>> = { "http:": 80, "https:": 443 };
/** Statuses whose responses have no body, whatever bytes came. */
const BODILESS = new Set([204, 205, 304]);

interface Fetching {
  readonly incoming: IncomingBody;
  readonly resolve: (response: Response) => void;
  readonly reject: (error: unknown) => void;
  readonly stopFollowing: () => void;
}

let fetching = new Map<number, Fetching>();
let lastId = 0;

onBoot(() => {
  fetching = new Map();
});

/** Fetches through the host, which checks every address anew; hosts not granted are refused here already. */
export async function fetch(
  input: unknown,
  init?: Readonly<Record<string, unknown>>,
): Promise<Response> {
  const request = new Request(input, init);
  request.signal.throwIfAborted();
  checkSize(request);
  checkGranted(request.url);
  const body = await bodyBytes(takeRequestBody(request));
  request.signal.throwIfAborted();
  return await new Promise((resolve, reject) => {
    const id = ++lastId;
    const head = JSON.stringify({
      method: request.method,
      url: request.url,
      headers: headerEntries(request.headers),
      redirect: request.redirect,
    });
    if (!ops.fetchStart(id, head, body)) {
      throw new TypeError(
        "Cannot fetch: too much is pending in this run, or it has used its fetches",
      );
    }
    const stopFollowing = onAbort(request.signal, () => cancel(id, request.signal.reason));
    const incoming = new IncomingBody(() => cancel(id, undefined));
    fetching.set(id, { incoming, resolve, reject, stopFollowing });
    beginPending();
  });
}

function checkSize({ method, url, headers }: Request): void {
  const sizes = { method: method.length, url: url.length, headers: headerEntries(headers).length };
  for (const part of ["method", "url", "headers"] as const) {
    if (sizes[part] <= GUEST_FETCH_MAX[part]) continue;
    throw new TypeError(
      `Cannot fetch: the request's ${part} has a length of ${sizes[part]}, at most ${GUEST_FETCH_MAX[part]} is sent`,
    );
  }
}

/** Whether the run may reach the host of `url`; says so to the program where it may not. */
function checkGranted(url: string): void {
  const { protocol, hostname, port } = new URL(url);
  const defaultPort = DEFAULT_PORTS[protocol];
  if (defaultPort === undefined) {
    throw new TypeError(`Cannot fetch "${protocol}" URLs: only http: and https: are known`);
  }
  const number = port === "" ? defaultPort : Number(port);
  if (isNetGranted(hostname, number)) return;
  throw new NotCapable(
    `Requires net access to "${hostname}:${number}": add "${hostname}" to permissions.net of the run`,
  );
}

/** Whether the run was granted a host and port. */
export function isNetGranted(hostname: string, port: number): boolean {
  const granted = currentRun()?.boot.net ?? [];
  const patterns = granted.flatMap((text) => parseNetPattern(text) ?? []);
  return isHostGranted(patterns, hostname, port);
}

async function bodyBytes(source: BodySource): Promise<string | null> {
  switch (source.kind) {
    case "none":
      return null;
    case "bytes":
      return toLatin1(source.bytes);
    case "incoming":
      return toLatin1(await source.incoming.whole());
    case "stream":
      return toLatin1(joinBytes(await load.streams().readAllBytes(source.stream)));
  }
}

function take(id: number): Fetching | undefined {
  const one = fetching.get(id);
  if (one === undefined) return undefined;
  fetching.delete(id);
  one.stopFollowing();
  endPending();
  return one;
}

function cancel(id: number, reason: unknown): void {
  const one = take(id);
  if (one === undefined) return;
  ops.fetchCancel(id);
  one.reject(reason);
  one.incoming.fail(reason);
}

interface Head {
  readonly status: number;
  readonly statusText: string;
  readonly url: string;
  readonly redirected: boolean;
  readonly headers: readonly (readonly [string, string])[];
}

function responseOf(head: Head, incoming: IncomingBody): Response {
  const { status, statusText, url, redirected, headers } = head;
  const source: BodySource = BODILESS.has(status)
    ? { kind: "none" }
    : { kind: "incoming", incoming };
  return fetchedResponse(source, { status, statusText, headers }, url, redirected);
}

function failure(kind: string, message: string): Error {
  if (kind === "denied") return new NotCapable(message);
  if (kind === "timeout") return new DOMException(message, "TimeoutError");
  return new TypeError(message);
}

onDelivery(["fetchHead", "fetchChunk", "fetchEnd", "fetchFailure"], (kind, id, a, b) => {
  const one = fetching.get(id);
  if (one === undefined) return;
  switch (kind) {
    case "fetchHead":
      try {
        one.resolve(responseOf(JSON.parse(a as string) as Head, one.incoming));
      } catch {
        // A server may answer what no Response can say, and it is the fetch that then fails.
        cancel(id, new TypeError("Cannot fetch: the server's answer is malformed"));
      }
      return;
    case "fetchChunk":
      one.incoming.chunk(new Uint8Array(a as ArrayBuffer));
      return;
    case "fetchEnd":
      take(id);
      one.incoming.end();
      return;
    default: {
      take(id);
      const error = failure(a as string, b as string);
      one.reject(error);
      one.incoming.fail(error);
    }
  }
});
