import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";

import { BOOT_HEADER } from "../protocol/signature.ts";
import { answerJson } from "./answer.ts";
import type { Log } from "./log.ts";

/** Longer than gateways keep a connection unused, so that it is they who close it. */
const KEEP_ALIVE_MS = 75_000;
const HEADERS_MAX_MS = 10_000;

export interface ServiceServer {
  /** Said on every answer. */
  readonly bootId: string;
  /** A gateway sends from memory: a request that takes longer does not come. */
  readonly requestMaxMs: number;
  readonly log: Log;
  /** Answers a request. What it throws is a bug, logged, and answered with 500 where that still can be. */
  readonly route: (request: IncomingMessage, response: ServerResponse) => Promise<void>;
}

/** The HTTP server of a service that gateways call, not yet listening. */
export function serviceServer({ bootId, requestMaxMs, log, route }: ServiceServer): Server {
  return createServer(
    {
      keepAliveTimeout: KEEP_ALIVE_MS,
      requestTimeout: requestMaxMs,
      headersTimeout: HEADERS_MAX_MS,
    },
    (request, response) => {
      response.setHeader(BOOT_HEADER, bootId);
      // A peer that went away is seen by `close`.
      request.on("error", () => {});
      response.on("error", () => {});
      route(request, response).catch((error: unknown) => {
        log("request.failed", { error: error instanceof Error ? error.stack : String(error) });
        if (response.headersSent) response.destroy();
        else answerJson(response, 500, { code: "internal" });
      });
    },
  );
}
