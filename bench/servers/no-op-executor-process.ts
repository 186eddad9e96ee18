import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

import { z } from "zod";

import { answerJson } from "../../executor-http/answer.ts";
import { NonceMemory } from "../../executor-http/nonce-memory.ts";
import { readBody } from "../../executor-http/read-body.ts";
import { checkHeader, MacCheck } from "../../executor-http/signature-check.ts";
import { type ExecutorResult, RUN_CONTENT_TYPE } from "../../protocol/sandbox-api.ts";
import { BOOT_HEADER, SIGNATURE_HEADER } from "../../protocol/signature.ts";

/**
 * Takes the place of a sandbox-worker where the queue alone is measured: checks signatures and answers
 * as one does, and runs nothing. Told once what to be, says its port, and ends with its parent.
 */
export const NoOpSettings = z.strictObject({
  secret: z.strictObject({ id: z.string(), secret: z.string() }),
  /** How long each run is said to go on, so that whatever comes after it waits. */
  runMs: z.number().int().nonnegative(),
});
export type NoOpSettings = z.infer<typeof NoOpSettings>;

const BODY_MAX_BYTES = 16 * 1024 * 1024;

/** What every run gives, as JSON text. */
const VALUE = "1";

process.once("message", (given) => {
  const { secret, runMs } = NoOpSettings.parse(given);
  const bootId = randomUUID();
  const macs = new MacCheck([secret], new NonceMemory());
  const server = createServer({ keepAliveTimeout: 75_000 }, (request, response) => {
    response.setHeader(BOOT_HEADER, bootId);
    answer(macs, bootId, runMs, request, response).catch(() => response.destroy());
  });
  server.listen(0, "127.0.0.1", () => process.send?.((server.address() as AddressInfo).port));
  process.once("disconnect", () => process.exit(0));
});

async function answer(
  macs: MacCheck,
  bootId: string,
  runMs: number,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { method = "", url = "" } = request;
  const nowMs = Date.now();
  const given = request.headers[SIGNATURE_HEADER.toLowerCase()];
  const header = checkHeader(typeof given === "string" ? given : undefined, { bootId, nowMs });
  if (!header.ok) return answerJson(response, 401, { code: header.problem });
  const body = await readBody(request, BODY_MAX_BYTES);
  if (body.kind !== "whole") return answerJson(response, 413, { code: "payload_too_large" });
  const signed = macs.check(header.signature, { method, target: url, body: body.bytes }, nowMs);
  if (!signed.ok) return answerJson(response, 401, { code: signed.problem });

  response.writeHead(200, { "Content-Type": RUN_CONTENT_TYPE });
  response.write('{"event":{"type":"started","queueMs":0}}\n');
  if (runMs > 0) await sleep(runMs, undefined, { ref: false });
  const runId = url.slice(url.lastIndexOf("/") + 1);
  response.end(`${JSON.stringify({ end: resultOf(runId) })}\n`);
}

const resultOf = (runId: string): ExecutorResult => ({
  runId,
  outcome: "ok",
  certainty: "certain",
  started: true,
  valueJson: VALUE,
  encoding: "json",
  error: null,
  stdout: "",
  stderr: "",
  console: [],
  truncated: null,
  usage: { queueMs: 0, wallMs: 0, cpuMs: 0, memoryPeakBytes: 0, fetches: 0 },
});
