import { Client } from "undici";
import type { Dispatcher } from "undici";

import type { Target } from "../protocol/url-policy.ts";
import { EgressError } from "./egress-error.ts";
import { pinnedConnector } from "./pinned-connect.ts";
import type { Hop } from "./redirect.ts";

/** Of one response's headers. Above it the response is `too_large`. Bytes. */
export const RESPONSE_HEADER_MAX_BYTES = 32_768;

/**
 * What one HTTP exchange holds open: its deadline, and the connection of its latest hop.
 *
 * Owns both, and closes them on `close`, at the deadline, when the caller's signal aborts, and at
 * the end of the body. Closing twice is harmless.
 */
export class Exchange {
  readonly signal: AbortSignal;
  readonly #deadline = new AbortController();
  readonly #closed = new AbortController();
  readonly #timeoutMs: number;
  readonly #timer: NodeJS.Timeout;
  #client: Client | undefined;

  constructor(timeoutMs: number, signal: AbortSignal) {
    this.#timeoutMs = timeoutMs;
    this.signal = AbortSignal.any([signal, this.#deadline.signal]);
    this.#timer = setTimeout(() => {
      this.#deadline.abort();
      void this.close();
    }, timeoutMs);
    this.signal.addEventListener("abort", () => void this.close(), { once: true });
    if (this.signal.aborted) void this.close();
  }

  /** Sends one hop over a connection of its own to one of `addresses`; the hop before is dropped. */
  async send(
    hop: Hop,
    target: Target,
    addresses: readonly string[],
  ): Promise<Dispatcher.ResponseData> {
    this.signal.throwIfAborted();
    await this.#client?.destroy();
    const { url } = target;
    this.#client = new Client(url.origin, {
      connect: pinnedConnector(addresses, this.#closed.signal),
      pipelining: 0,
      maxHeaderSize: RESPONSE_HEADER_MAX_BYTES,
      headersTimeout: 0,
      bodyTimeout: 0,
      useMilo: false,
    });
    return this.#client.request({
      method: hop.method as Dispatcher.HttpMethod,
      path: `${url.pathname}${url.search}`,
      headers: hop.headers.flat(),
      body: hop.body,
      responseHeaders: "raw",
      signal: this.signal,
    });
  }

  /** Passes a body on, and closes the exchange however its reading ends. */
  async *body(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      yield* chunks;
    } catch (error) {
      throw this.explain(error);
    } finally {
      await this.close();
    }
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    // A client waits for a connection that it is still making; the signal does not.
    this.#closed.abort();
    await this.#client?.destroy();
  }

  /** What went wrong, in the guest's terms. An error of the network library says only its code. */
  explain(error: unknown): EgressError {
    if (this.#deadline.signal.aborted) {
      return new EgressError("timeout", `Cannot fetch within ${this.#timeoutMs} ms`);
    }
    if (this.signal.aborted) return new EgressError("network", "Cannot fetch: it was cancelled");
    if (error instanceof EgressError) return error;
    const code = errorCode(error);
    if (code === "UND_ERR_HEADERS_OVERFLOW") {
      const limit = `${RESPONSE_HEADER_MAX_BYTES} bytes of response headers`;
      return new EgressError("too_large", `Cannot take more than ${limit}`, { cause: error });
    }
    return new EgressError("network", `Cannot fetch: ${code}`, { cause: error });
  }
}

function errorCode(error: unknown): string {
  const code: unknown = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" && /^[A-Z0-9_]{1,64}$/.test(code) ? code : "the exchange broke";
}
