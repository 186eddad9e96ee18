import type { IncomingMessage, Server, ServerResponse } from "node:http";

import { answerJson } from "../executor-http/answer.ts";
import { NonceMemory } from "../executor-http/nonce-memory.ts";
import { serviceServer } from "../executor-http/service-server.ts";
import { MacCheck } from "../executor-http/signature-check.ts";
import { signedBody } from "../executor-http/signed-request.ts";
import { DELIVER_PATH, DELIVERED_STATUS_HEADER, Delivery } from "../protocol/egress-api.ts";
import type { EgressConfig } from "./config.ts";
import { deliver } from "./deliver.ts";
import { log } from "./log.ts";

const REQUEST_MAX_MS = 30_000;

/** What a failed delivery is answered with. */
const STATUS_OF = { denied: 403, timeout: 504, network: 502, too_large: 502 } as const;

interface Parts {
  readonly config: EgressConfig;
  readonly bootId: string;
  readonly macs: MacCheck;
}

/** The service's HTTP surface, not yet listening. */
export function egressServer(config: EgressConfig, bootId: string): Server {
  const parts = { config, bootId, macs: new MacCheck(config.secrets, new NonceMemory()) };
  return serviceServer({
    bootId,
    requestMaxMs: REQUEST_MAX_MS,
    log,
    route: (request, response) => route(parts, request, response),
  });
}

async function route(
  parts: Parts,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { method, url } = request;
  if (method === "GET" && (url === "/healthz" || url === "/readyz")) {
    return answerJson(response, 200, { status: "ok", ready: true });
  }
  if (url !== DELIVER_PATH) return answerJson(response, 404, { code: "not_found" });
  if (method !== "POST") {
    return answerJson(response, 405, { code: "method_not_allowed" }, { Allow: "POST" });
  }
  await takeDelivery(parts, request, response);
}

async function takeDelivery(
  { config, bootId, macs }: Parts,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { bodyMaxBytes } = config;
  const refused = (reason: string): void => log("request.refused", { reason });
  const bytes = await signedBody({ bootId, macs, bodyMaxBytes, refused }, request, response);
  if (bytes === undefined) return;
  const delivery = readDelivery(bytes);
  if (delivery === undefined) return answerJson(response, 400, { code: "malformed_delivery" });
  const left = new AbortController();
  response.once("close", () => left.abort());
  const delivered = await deliver(delivery, config, left.signal);
  if (delivered.kind === "failed") {
    return answerJson(response, STATUS_OF[delivered.why], { code: delivered.why });
  }
  response.writeHead(204, { [DELIVERED_STATUS_HEADER]: String(delivered.status) }).end();
}

function readDelivery(bytes: Buffer): Delivery | undefined {
  try {
    return Delivery.safeParse(JSON.parse(bytes.toString("utf8"))).data;
  } catch {
    return undefined;
  }
}
