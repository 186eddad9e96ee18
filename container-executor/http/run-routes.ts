import type { ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";

import { answerJson, answerRefusal } from "../../executor-http/answer.ts";
import { CONTAINER_RUNS } from "../../protocol/container-api.ts";
import type { RunStatus } from "../../protocol/container-api.ts";
import type { Metrics } from "../metrics.ts";
import type { Runs } from "../runs/runs.ts";
import { tellEvents } from "./event-stream.ts";
import { readOrder } from "./read-order.ts";

/** A request whose signature was right. */
export interface RunRequest {
  readonly method: string;
  readonly url: string;
  /** Its path without the query. */
  readonly path: string;
  readonly body: Buffer;
}

const RUN_PATH = /^\/([A-Za-z0-9_.]{1,100})(?:\/(events|renew|ack|artifacts\/.+))?$/;

/** Answers what is asked of one run. */
export async function routeRun(
  runs: Runs,
  metrics: Metrics,
  request: RunRequest,
  response: ServerResponse,
): Promise<void> {
  const { path, method } = request;
  const rest = path.startsWith(CONTAINER_RUNS) ? path.slice(CONTAINER_RUNS.length) : "";
  const [, runId, action = ""] = RUN_PATH.exec(rest) ?? [];
  if (runId === undefined) return notFound(response);
  const [name, file] = split(action);
  switch (`${method} ${name}`) {
    case "PUT ":
      return await put(runs, metrics, runId, request.body, response);
    case "GET ":
      return answerStatus(runs.statusOf(runId), response);
    case "DELETE ":
      return answerStatus(await runs.kill(runId, "cancelled"), response);
    case "POST renew":
      return answerStatus(runs.renew(runId), response);
    case "POST ack":
      return ack(runs, runId, response);
    case "GET events":
      return await events(runs, runId, request.url, response);
    case "GET artifacts":
      return await artifact(runs, runId, file ?? "", response);
    default:
      answerJson(response, 405, { code: "method_not_allowed" });
  }
}

function split(action: string): readonly [string, string?] {
  const slash = action.indexOf("/");
  return slash === -1 ? [action] : [action.slice(0, slash), action.slice(slash + 1)];
}

async function put(
  runs: Runs,
  metrics: Metrics,
  runId: string,
  body: Buffer,
  response: ServerResponse,
): Promise<void> {
  const reading = readOrder(body, runId);
  if (!reading.ok) {
    metrics.requestRefused("malformed_order");
    return answerJson(response, 400, { code: "malformed_order", detail: reading.problem });
  }
  const answer = await runs.put(reading.order);
  switch (answer.kind) {
    case "taken":
      return answerJson(response, 201, answer.status);
    case "known":
      return answerJson(response, 200, answer.status);
    case "refused":
      metrics.requestRefused(answer.refusal);
      return answerRefusal(response, answer.refusal);
    case "never":
      metrics.requestRefused(answer.refusal.code);
      return answerJson(response, 422, answer.refusal);
  }
}

function ack(runs: Runs, runId: string, response: ServerResponse): void {
  switch (runs.ack(runId)) {
    case "freed":
      return answerJson(response, 200, { freed: true });
    case "unknown":
      return notFound(response);
    case "running":
      return answerJson(response, 409, { code: "still_running" });
  }
}

async function events(
  runs: Runs,
  runId: string,
  url: string,
  response: ServerResponse,
): Promise<void> {
  const record = runs.recordOf(runId);
  if (record === undefined) return notFound(response);
  const after = new URLSearchParams(url.split("?")[1] ?? "").get("after") ?? "0";
  if (!/^[0-9]{1,15}$/.test(after)) return answerJson(response, 400, { code: "malformed_cursor" });
  await tellEvents(response, record.log, Number(after));
}

async function artifact(
  runs: Runs,
  runId: string,
  file: string,
  response: ServerResponse,
): Promise<void> {
  let path: string;
  try {
    path = decodeURIComponent(file);
  } catch {
    return notFound(response);
  }
  const found = runs.recordOf(runId)?.artifact(path);
  if (found === undefined) return notFound(response);
  response.writeHead(200, {
    "Content-Type": "application/octet-stream",
    "Content-Length": found.bytes,
  });
  await pipeline(found.open(), response).catch(() => {
    // The reader went away, or the file is shorter than it was: it sees that by the length.
    response.destroy();
  });
}

function answerStatus(status: RunStatus | undefined, response: ServerResponse): void {
  if (status === undefined) notFound(response);
  else answerJson(response, 200, status);
}

function notFound(response: ServerResponse): void {
  answerJson(response, 404, { code: "not_found" });
}
