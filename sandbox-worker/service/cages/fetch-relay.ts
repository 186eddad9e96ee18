import { z } from "zod";

import { EgressError } from "../../../egress/egress-error.ts";
import { guardedFetch } from "../../../egress/guarded-fetch.ts";
import { parseNetPattern } from "../../../protocol/net-permission.ts";
import type { NetPattern } from "../../../protocol/net-permission.ts";
import type { RunCaps } from "../../../protocol/sandbox-api.ts";
import type { FetchFailure, FetchHead } from "../../cage-protocol.ts";
import { Down } from "../../frames.ts";

/** What a relay needs of a cage: the way down, with its backpressure. */
export interface CageInput {
  send(kind: number, ...payload: readonly Uint8Array[]): boolean;
  whenWritable(): Promise<void>;
}

const FetchStart = z.strictObject({
  fetchId: z.number().int().min(0).max(0xffff_ffff),
  method: z.string().max(64),
  url: z.string().max(65_536),
  headers: z.array(z.tuple([z.string(), z.string()])).max(1000),
  hasBody: z.boolean(),
  redirect: z.enum(["follow", "manual", "error"]),
});

const NEWLINE = 0x0a;

/**
 * One run's outgoing requests: made here, outside the cage, by the guard that all lanes share, and
 * bounded for the run as a whole. Nothing of it outlives `close`.
 */
export class FetchRelay {
  readonly #cage: CageInput;
  readonly #caps: RunCaps;
  readonly #net: readonly NetPattern[];
  readonly #allowPrivateHosts: readonly string[];
  readonly #open = new Map<number, AbortController>();
  #started = 0;
  #bytesLeft: number;
  #closed = false;

  constructor(
    cage: CageInput,
    run: { readonly caps: RunCaps; readonly net: readonly string[] },
    allowPrivateHosts: readonly string[],
  ) {
    this.#cage = cage;
    this.#caps = run.caps;
    this.#net = run.net.map(parseNetPattern).filter((pattern) => pattern !== undefined);
    this.#allowPrivateHosts = allowPrivateHosts;
    this.#bytesLeft = run.caps.fetchBytes;
  }

  /** Fetches that were let through so far. */
  get started(): number {
    return this.#started;
  }

  /** Takes a `fetchStart` frame; false where it is none, and its cage not to be trusted. */
  start(payload: Buffer): boolean {
    const newline = payload.indexOf(NEWLINE);
    if (newline === -1) return false;
    const head = FetchStart.safeParse(readJson(payload.subarray(0, newline)));
    if (!head.success || this.#open.has(head.data.fetchId)) return false;
    const body = head.data.hasBody ? payload.subarray(newline + 1) : null;
    // Its failure is told to the guest; what is thrown here is a bug, and ends the process.
    void this.#relay(head.data, body);
    return true;
  }

  /** Takes a `fetchCancel` frame. */
  cancel(payload: Buffer): void {
    if (payload.byteLength < 4) return;
    this.#open.get(payload.readUInt32LE(0))?.abort();
  }

  /** Ends every request under way, unheard. */
  close(): void {
    this.#closed = true;
    for (const controller of this.#open.values()) controller.abort();
    this.#open.clear();
  }

  async #relay(request: z.infer<typeof FetchStart>, body: Buffer | null): Promise<void> {
    const { fetchId } = request;
    if (this.#closed) return;
    if (this.#started >= this.#caps.fetches) {
      const message = `Cannot fetch: the run may start ${this.#caps.fetches} requests`;
      this.#fail({ fetchId, kind: "too_many", message });
      return;
    }
    this.#started++;
    const controller = new AbortController();
    this.#open.set(fetchId, controller);
    try {
      await this.#exchange(request, body, controller.signal);
    } catch (error) {
      if (!(error instanceof EgressError)) throw error;
      this.#fail({ fetchId, kind: error.kind, message: error.message });
    } finally {
      controller.abort();
      if (this.#open.get(fetchId) === controller) this.#open.delete(fetchId);
    }
  }

  async #exchange(
    request: z.infer<typeof FetchStart>,
    body: Buffer | null,
    signal: AbortSignal,
  ): Promise<void> {
    const { fetchId, method, url, headers, redirect } = request;
    const response = await guardedFetch(
      { method, url, headers, body, redirect },
      {
        net: this.#net,
        allowPrivateHosts: this.#allowPrivateHosts,
        timeoutMs: this.#caps.fetchMs,
        maxBytes: this.#bytesLeft,
      },
      signal,
    );
    if (signal.aborted) return;
    if (!response.ok) {
      this.#fail({ fetchId, kind: response.kind, message: response.message });
      return;
    }
    const head: FetchHead = { fetchId, ...response.head };
    this.#cage.send(Down.fetchHead, Buffer.from(JSON.stringify(head)));
    const id = idBytes(fetchId);
    for await (const chunk of response.body) {
      if (signal.aborted) return;
      if (chunk.byteLength > this.#bytesLeft) {
        throw new EgressError(
          "too_large",
          `Cannot take more than ${this.#caps.fetchBytes} bytes of responses in one run`,
        );
      }
      this.#bytesLeft -= chunk.byteLength;
      if (!this.#cage.send(Down.fetchChunk, id, chunk)) await this.#cage.whenWritable();
    }
    if (!signal.aborted) this.#cage.send(Down.fetchEnd, id);
  }

  #fail(failure: FetchFailure): void {
    if (this.#closed) return;
    this.#cage.send(Down.fetchFailure, Buffer.from(JSON.stringify(failure)));
  }
}

function readJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch {
    return undefined;
  }
}

function idBytes(fetchId: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32LE(fetchId, 0);
  return bytes;
}
