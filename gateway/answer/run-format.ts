import type { Context } from "hono";
import { accepts } from "hono/accepts";

import { NDJSON, SSE, type StreamFormat } from "./run-stream.ts";

/** How a caller wants to hear of a run: whole at its end, or event by event. */
export type RunFormat =
  | { readonly kind: "json" }
  | { readonly kind: "stream"; readonly format: StreamFormat };

/** Reads `Accept`; without a wish the answer is JSON. */
export function runFormatOf(c: Context): RunFormat {
  const supports = ["application/json", "text/event-stream", "application/x-ndjson"];
  switch (accepts(c, { header: "Accept", supports, default: "application/json" })) {
    case "text/event-stream":
      return { kind: "stream", format: SSE };
    case "application/x-ndjson":
      return { kind: "stream", format: NDJSON };
    default:
      return { kind: "json" };
  }
}
