import { HEARTBEAT_MS } from "../../protocol/container-api.ts";
import type { FollowRequest } from "../job-contract.ts";
import type { LoggedEvent } from "./event-log.ts";
import type { JobStore } from "./job-store.ts";

/** How soon a client that was cut off comes back; milliseconds. */
const RECONNECT_MS = 2_000;

/**
 * How often a follower whose leaving ends the job is told something, at the least: a connection
 * that was closed is only noticed when something is written to it. Milliseconds.
 */
const NOTICE_LEFT_MS = 1_000;

const FORMATS = {
  sse: {
    opening: `retry: ${RECONNECT_MS}\n\n`,
    heartbeat: ": keep-alive\n\n",
    event: ({ seq, type }: LoggedEvent, json: string) =>
      `id: ${seq}\nevent: ${type}\ndata: ${json}\n\n`,
  },
  ndjson: {
    opening: "",
    heartbeat: "\n",
    event: (_: LoggedEvent, json: string) => `${json}\n`,
  },
} as const;

/**
 * A job's events after a number as bytes, live, until `done` or for so long.
 *
 * Each follower reads the log itself, only when its reader asks for more: a slow one holds up
 * nobody and costs no more than a page of events. `onLeave` is called where it leaves before `done`.
 */
export function eventStream(
  store: JobStore,
  { after, format, forMs = Infinity, onLeave: fate }: FollowRequest,
  onLeave: () => void,
): ReadableStream<Uint8Array> {
  const { opening, heartbeat, event } = FORMATS[format];
  const encoder = new TextEncoder();
  let cursor = after;
  let pending = opening;
  const until = Date.now() + forMs;
  const heartbeatMs = fate === "cancel" ? NOTICE_LEFT_MS : HEARTBEAT_MS;
  const nextText = async (): Promise<{ readonly text: string; readonly isLast: boolean }> => {
    for (;;) {
      const page = store.read(cursor);
      let text = pending;
      pending = "";
      for (const logged of page) {
        text += event(logged, await store.textOf(logged));
        cursor = logged.seq;
        if (logged.type === "done") return { text, isLast: true };
      }
      if (store.ended && cursor >= store.lastEvent) return { text, isLast: true };
      const leftMs = until - Date.now();
      if (text !== "" || leftMs <= 0) return { text, isLast: leftMs <= 0 };
      if (!(await store.news.next(Math.min(heartbeatMs, leftMs)))) {
        return { text: heartbeat, isLast: Date.now() >= until };
      }
    }
  };
  return new ReadableStream({
    type: "bytes",
    async pull(controller) {
      const { text, isLast } = await nextText();
      if (text !== "") controller.enqueue(encoder.encode(text));
      if (!isLast) return;
      controller.close();
      // A reader with a buffer of its own waits for it to come back.
      controller.byobRequest?.respond(0);
    },
    cancel() {
      if (!store.ended) onLeave();
    },
  });
}
