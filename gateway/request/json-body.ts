import type { Context } from "hono";

import { fail, type Result } from "../../protocol/result.ts";
import { type Envelope, readEnvelope } from "./envelope.ts";

/** Reads a request's body as an envelope, as far as that goes without knowing what it asks. */
export async function readJsonBody(c: Context): Promise<Result<Envelope>> {
  const type = c.req.header("Content-Type")?.split(";", 1)[0]?.trim().toLowerCase();
  if (type !== "application/json") {
    return fail({ code: "unsupported_media_type", expected: "application/json" });
  }
  const bytes = await c.req.arrayBuffer();
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    const issues = [{ path: "", message: "is not UTF-8" }];
    return fail({ code: "malformed_request", issues });
  }
  return readEnvelope(text);
}
