import type { IncomingMessage, ServerResponse } from "node:http";

import { SIGNATURE_HEADER } from "../protocol/signature.ts";
import { answerJson } from "./answer.ts";
import { readBody } from "./read-body.ts";
import { checkHeader } from "./signature-check.ts";
import type { MacCheck, SignatureProblem } from "./signature-check.ts";

export interface SignedParts {
  readonly bootId: string;
  readonly macs: MacCheck;
  readonly bodyMaxBytes: number;
  readonly refused: (reason: SignatureProblem) => void;
}

/** A request's body, once it is known to be a gateway's; undefined where it was answered already. */
export async function signedBody(
  parts: SignedParts,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<Buffer | undefined> {
  const { bootId, macs, bodyMaxBytes, refused } = parts;
  // No body is read for a header of the wrong form, boot or clock; the mac is over the body, and waits for it.
  const given = request.headers[SIGNATURE_HEADER.toLowerCase()];
  const header = checkHeader(typeof given === "string" ? given : undefined, {
    bootId,
    nowMs: Date.now(),
  });
  if (!header.ok) {
    refused(header.problem);
    answerJson(response, 401, { code: header.problem });
    return undefined;
  }
  const body = await readBody(request, bodyMaxBytes);
  if (body.kind === "broken") return undefined;
  if (body.kind === "too-large") {
    answerJson(response, 413, { code: "payload_too_large", limitBytes: bodyMaxBytes });
    return undefined;
  }
  const { method = "", url = "" } = request;
  const toCheck = { method, target: url, body: body.bytes };
  const signed = macs.check(header.signature, toCheck, Date.now());
  if (signed.ok) return body.bytes;
  refused(signed.problem);
  answerJson(response, 401, { code: signed.problem });
  return undefined;
}
