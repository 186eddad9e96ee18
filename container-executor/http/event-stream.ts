import type { ServerResponse } from "node:http";

import { HEARTBEAT_MS } from "../../protocol/container-api.ts";
import { RUN_CONTENT_TYPE } from "../../protocol/sandbox-api.ts";
import type { EventLog } from "../runs/event-log.ts";

/** A reader that takes nothing for so long is gone; it may come again. */
const STALLED_MS = 60_000;

/**
 * Tells a run's events after number `after`, then each as it comes, until the last. An empty line
 * says that nothing came. A slow reader slows nothing but itself: it reads on from the log.
 */
export async function tellEvents(
  response: ServerResponse,
  log: EventLog,
  after: number,
): Promise<void> {
  const gone = new AbortController();
  response.once("close", () => {
    gone.abort();
  });
  response.setTimeout(STALLED_MS, () => {
    response.destroy();
  });
  response.writeHead(200, { "Content-Type": RUN_CONTENT_TYPE });
  response.flushHeaders();
  const heart = setInterval(() => {
    if (!response.writableNeedDrain) response.write("\n");
  }, HEARTBEAT_MS);
  try {
    let told = after;
    while (!gone.signal.aborted && !log.closed) {
      const { lines, through } = log.read(told);
      told = through;
      if (lines.byteLength > 0 && !response.write(lines)) await drained(response, gone.signal);
      if (told < log.lastSeq) continue;
      if (log.ended) break;
      await log.changed(told, gone.signal);
    }
  } finally {
    clearInterval(heart);
    // An end without an `end` event says that there is more to come elsewhere or later.
    response.end();
  }
}

async function drained(response: ServerResponse, gone: AbortSignal): Promise<void> {
  if (gone.aborted) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      response.off("drain", done);
      gone.removeEventListener("abort", done);
      resolve();
    };
    response.once("drain", done);
    gone.addEventListener("abort", done, { once: true });
  });
}
