import type { JobStore } from "./job-store.ts";

/** What may wait in a socket that its client reads slowly; the log has the rest. Bytes. */
const SOCKET_BUFFER_BYTES = 1024 * 1024;

/** How soon a full socket is looked at again; milliseconds. */
const LOOK_AGAIN_MS = 50;

interface Cursor {
  readonly after: number;
}

/**
 * Followers by WebSocket: each event is one text frame. They hibernate with the object: where each
 * one is, its attachment says.
 */
export class EventSockets {
  readonly #ctx: DurableObjectState;
  readonly #store: () => JobStore;
  readonly #pumping = new Set<WebSocket>();

  constructor(ctx: DurableObjectState, store: () => JobStore) {
    this.#ctx = ctx;
    this.#store = store;
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong"));
  }

  /** Takes a follower that has the events up to `after`. */
  accept(after: number): Response {
    const { 0: client, 1: server } = new WebSocketPair();
    this.#ctx.acceptWebSocket(server);
    server.serializeAttachment({ after } satisfies Cursor);
    this.#ctx.waitUntil(this.#pump(server));
    return new Response(null, { status: 101, webSocket: client });
  }

  /** Sends each follower what it does not have yet. */
  tell(): void {
    for (const socket of this.#ctx.getWebSockets()) this.#ctx.waitUntil(this.#pump(socket));
  }

  async #pump(socket: WebSocket): Promise<void> {
    if (this.#pumping.has(socket)) return;
    this.#pumping.add(socket);
    try {
      const store = this.#store();
      let { after }: Cursor = socket.deserializeAttachment() ?? { after: 0 };
      for (;;) {
        if (socket.readyState !== WebSocket.OPEN) return;
        if (socket.bufferedAmount > SOCKET_BUFFER_BYTES) {
          await store.news.next(LOOK_AGAIN_MS);
          continue;
        }
        const page = store.read(after);
        for (const logged of page) {
          socket.send(await store.textOf(logged));
          after = logged.seq;
        }
        if (page.length > 0) socket.serializeAttachment({ after } satisfies Cursor);
        if (store.ended && after >= store.lastEvent) {
          socket.close(1000, "done");
          return;
        }
        if (page.length === 0) return;
      }
    } catch (error) {
      // The client is gone, which is its own affair; it resumes by its last number.
      if (socket.readyState === WebSocket.OPEN) socket.close(1011, "Cannot go on");
      if (!(error instanceof TypeError)) throw error;
    } finally {
      this.#pumping.delete(socket);
    }
  }
}
