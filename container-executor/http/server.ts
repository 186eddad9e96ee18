import type { IncomingMessage, Server, ServerResponse } from "node:http";

import { answerJson, answerRefusal } from "../../executor-http/answer.ts";
import { serviceServer } from "../../executor-http/service-server.ts";
import type { MacCheck } from "../../executor-http/signature-check.ts";
import { signedBody } from "../../executor-http/signed-request.ts";
import type { HealthReport } from "../../protocol/container-api.ts";
import type { ContainerConfig } from "../config.ts";
import type { ContainerLane } from "../lane.ts";
import { log } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import type { Monitor } from "../monitor/monitor.ts";
import { routeRun } from "./run-routes.ts";

/** A gateway sends from memory: a body that takes longer does not come. */
const REQUEST_MAX_MS = 60_000;

const OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8";

export interface ServerParts {
  readonly config: ContainerConfig;
  readonly bootId: string;
  readonly lane: ContainerLane;
  readonly macs: MacCheck;
  readonly metrics: Metrics;
}

/** The service's HTTP surface, not yet listening. */
export function containerServer(parts: ServerParts): Server {
  return serviceServer({
    bootId: parts.bootId,
    requestMaxMs: REQUEST_MAX_MS,
    log,
    route: (request, response) => route(parts, request, response),
  });
}

async function route(
  parts: ServerParts,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { method = "", url = "" } = request;
  const path = url.split("?", 1)[0] ?? "";
  const open = OPEN_GETS.get(path);
  if (open !== undefined) {
    if (method === "GET" || method === "HEAD") return open(parts, response);
    return answerJson(response, 405, { code: "method_not_allowed" }, { Allow: "GET, HEAD" });
  }
  const body = await signedBody(
    {
      bootId: parts.bootId,
      macs: parts.macs,
      bodyMaxBytes: parts.config.bodyMaxBytes,
      refused: (reason) => {
        parts.metrics.requestRefused(reason);
      },
    },
    request,
    response,
  );
  if (body === undefined) return;
  if (path === "/v1/drain" && method === "POST") return drain(parts, body, response);
  const [, health] = /^\/v1\/health(?:\/([^/]+))?$/.exec(path) ?? [];
  if (path.startsWith("/v1/health") && method === "GET") {
    return answerHealth(parts.lane.monitor, path === "/v1/health" ? undefined : health, response);
  }
  const { runs } = parts.lane;
  // What an earlier life left is not known yet: a "not found" would be taken for its end.
  if (runs === undefined) return answerRefusal(response, "not-ready");
  await routeRun(runs, parts.metrics, { method, url, path, body }, response);
}

type Get = (parts: ServerParts, response: ServerResponse) => void;

const OPEN_GETS: ReadonlyMap<string, Get> = new Map<string, Get>([
  [
    "/healthz",
    (_parts, response) => {
      answerJson(response, 200, { status: "ok" });
    },
  ],
  [
    "/readyz",
    ({ lane }, response) => {
      const state = lane.readiness();
      answerJson(response, state.ready ? 200 : 503, state);
    },
  ],
  [
    "/v1/runtimes",
    ({ lane }, response) => {
      answerJson(response, 200, lane.images.runtimes(lane.engineName));
    },
  ],
  [
    "/metrics",
    ({ metrics, lane }, response) => {
      response.writeHead(200, { "Content-Type": OPENMETRICS });
      response.end(metrics.text({ inFlight: lane.runs?.inFlight ?? 0, spares: lane.spareCounts }));
    },
  ],
]);

function answerHealth(monitor: Monitor, runId: string | undefined, response: ServerResponse): void {
  if (runId === undefined) {
    const report: HealthReport = monitor.report();
    return answerJson(response, 200, report);
  }
  const health = monitor.healthOf(runId);
  if (health === undefined) answerJson(response, 404, { code: "not_found" });
  else answerJson(response, 200, health);
}

function drain(parts: ServerParts, body: Buffer, response: ServerResponse): void {
  let stop = false;
  if (body.byteLength > 0) {
    try {
      const asked: unknown = JSON.parse(body.toString("utf8"));
      stop = typeof asked === "object" && asked !== null && "stop" in asked && asked.stop === true;
    } catch {
      return answerJson(response, 400, { code: "malformed_order", detail: "it is not JSON" });
    }
  }
  parts.lane.drain(stop);
  answerJson(response, 202, { draining: true, stop, inFlight: parts.lane.runs?.inFlight ?? 0 });
}
