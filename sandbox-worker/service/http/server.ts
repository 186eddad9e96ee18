import type { IncomingMessage, Server, ServerResponse } from "node:http";

import { answerJson, answerRefusal } from "../../../executor-http/answer.ts";
import { serviceServer } from "../../../executor-http/service-server.ts";
import type { MacCheck, SignatureProblem } from "../../../executor-http/signature-check.ts";
import { signedBody } from "../../../executor-http/signed-request.ts";
import type { SandboxReadiness, SandboxRuntimes } from "../../../protocol/sandbox-api.ts";
import type { SandboxConfig } from "../../config.ts";
import { log } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import type { Pool } from "../pool/pool.ts";
import { JobAnswer } from "./job-answer.ts";
import { readOrder } from "./read-order.ts";
import { RunAnswer } from "./run-answer.ts";
import type { TakenRuns } from "./taken-runs.ts";

/** A gateway sends from memory: a body that takes longer does not come. */
const REQUEST_MAX_MS = 30_000;

const RUNS = "/v1/runs";

const OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8";

export interface ServerParts {
  readonly config: SandboxConfig;
  readonly bootId: string;
  readonly pool: Pool;
  readonly macs: MacCheck;
  readonly taken: TakenRuns;
  readonly metrics: Metrics;
  readonly protections: Readonly<Record<string, boolean>>;
  readonly runtimes: SandboxRuntimes;
}

/** The service's HTTP surface, not yet listening. */
export function sandboxServer(parts: ServerParts): Server {
  const server = serviceServer({
    bootId: parts.bootId,
    requestMaxMs: REQUEST_MAX_MS,
    log,
    route: (request, response) => route(parts, request, response),
  });
  server.maxConnections = parts.config.connectionsMax;
  return server;
}

async function route(
  parts: ServerParts,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { method = "", url = "" } = request;
  const path = url.split("?", 1)[0] ?? "";
  if (path === RUNS) {
    if (method === "POST") await takeRun(parts, request, response, null);
    else answerJson(response, 405, { code: "method_not_allowed" }, { Allow: "POST" });
    return;
  }
  if (path.startsWith(`${RUNS}/`)) {
    const runId = path.slice(RUNS.length + 1);
    if (method === "PUT") await takeRun(parts, request, response, runId);
    else if (method === "DELETE") await stopRun(parts, request, response, runId);
    else answerJson(response, 405, { code: "method_not_allowed" }, { Allow: "PUT, DELETE" });
    return;
  }
  const get = GETS.get(path);
  if (get === undefined) answerJson(response, 404, { code: "not_found" });
  else if (method === "GET" || method === "HEAD") get(parts, response);
  else answerJson(response, 405, { code: "method_not_allowed" }, { Allow: "GET, HEAD" });
}

type Get = (parts: ServerParts, response: ServerResponse) => void;

const GETS: ReadonlyMap<string, Get> = new Map([
  [
    "/healthz",
    (_parts, response) => {
      answerJson(response, 200, { status: "ok" });
    },
  ],
  [
    "/readyz",
    (parts, response) => {
      const readiness = readinessOf(parts);
      answerJson(response, readiness.ready ? 200 : 503, readiness);
    },
  ],
  [
    "/v1/runtimes",
    ({ runtimes }, response) => {
      answerJson(response, 200, runtimes);
    },
  ],
  [
    "/metrics",
    ({ metrics, pool }, response) => {
      response.writeHead(200, { "Content-Type": OPENMETRICS });
      response.end(metrics.text(pool.gauges));
    },
  ],
]);

function readinessOf({ pool, bootId, config, protections }: ServerParts): SandboxReadiness {
  const { refusal, gauges } = pool;
  return {
    ready: refusal === null,
    reason: refusal?.reason ?? null,
    bootId,
    draining: pool.draining,
    inFlight: gauges.inFlight,
    queued: gauges.queued,
    cages: {
      live: gauges.cagesLive,
      spares: gauges.cagesSpare,
      busy: gauges.cagesBusy,
      max: config.pool.maxCages,
    },
    protections,
  };
}

function readSigned(
  { config, bootId, macs, metrics }: ServerParts,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<Buffer | undefined> {
  const { bodyMaxBytes } = config;
  const refused = (reason: SignatureProblem): void => metrics.requestRefused(reason);
  return signedBody({ bootId, macs, bodyMaxBytes, refused }, request, response);
}

/** @param runId The id in the path, of a run that must not start twice; null for one without. */
async function takeRun(
  parts: ServerParts,
  request: IncomingMessage,
  response: ServerResponse,
  runId: string | null,
): Promise<void> {
  const { config, pool, metrics, taken } = parts;
  const bytes = await readSigned(parts, request, response);
  if (bytes === undefined) return;
  const reading = readOrder(bytes, config.ceilings);
  if (!reading.ok) {
    metrics.requestRefused("malformed_order");
    return answerJson(response, 400, { code: "malformed_order", detail: reading.problem });
  }
  const { run } = reading;
  if (runId !== null && run.order.runId !== runId) {
    const detail = "the order is of another run than the path";
    return answerJson(response, 400, { code: "malformed_order", detail });
  }
  if (runId !== null && !taken.take(runId, run.order.caps.wallMs, Date.now())) {
    return answerJson(response, 409, { code: "run_taken" });
  }
  const { stream } = run.order;
  const answer =
    runId === null
      ? new RunAnswer(response, stream)
      : new JobAnswer(response, stream, () => taken.ended(runId));
  const submission = pool.submit(run, answer);
  if (!submission.accepted) {
    if (runId !== null) taken.release(runId);
    metrics.requestRefused(submission.refusal);
    return answerRefusal(response, submission.refusal);
  }
  if (runId !== null) taken.runs(runId, submission.cancel);
  response.once("close", () => {
    // The gateway went away before it had its answer.
    if (!response.writableFinished) submission.cancel();
  });
}

/** Ends a job's run: 204 once nothing of it lives, 404 where it is not known here, and so does not live. */
async function stopRun(
  parts: ServerParts,
  request: IncomingMessage,
  response: ServerResponse,
  runId: string,
): Promise<void> {
  if ((await readSigned(parts, request, response)) === undefined) return;
  if (await parts.taken.stop(runId)) response.writeHead(204).end();
  else answerJson(response, 404, { code: "not_found" });
}
