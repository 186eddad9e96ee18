import type { Context } from "hono";

import { fail, ok, type Result } from "../../protocol/result.ts";
import { type Envelope, readEnvelope } from "./envelope.ts";

/** Reads a request's body as an envelope, as far as that goes without knowing what it asks. */
export async function readJsonBody(c: Context): Promise<Result<Envelope>> {
  const text = await readJsonText(c);
  return text.ok ? readEnvelope(text.value) : text;
}

/** A body that says it is JSON, as text. */
export async function readJsonText(c: Context): Promise<Result<string>> {
  const type = c.req.header("Content-Type")?.split(";", 1)[0]?.trim().toLowerCase();
  if (type !== "application/json") {
    return fail({ code: "unsupported_media_type", expected: "application/json" });
  }
  const bytes = await c.req.arrayBuffer();
  try {
    return ok(new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes));
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    const issues = [{ path: "", message: "is not UTF-8" }];
    return fail({ code: "malformed_request", issues });
  }
}
