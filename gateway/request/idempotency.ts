import { parseItem, ParseError } from "structured-headers";

import type { Idempotency } from "../../durable-objects/job-contract.ts";
import { fail, ok, type Result } from "../../protocol/result.ts";
import type { Envelope } from "./envelope.ts";

/** What a request was, as far as a repeat of it must be the same. */
interface Repeatable {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly envelope: Envelope;
}

const MESSAGE = "must be 1 to 255 visible ASCII characters, in quotes or bare";

/**
 * Reads `Idempotency-Key`: a structured field's string, or its text bare, as many clients send it.
 * Undefined where there is none.
 */
export function readIdempotencyKey(header: string | undefined): Result<string | undefined> {
  if (header === undefined) return ok(undefined);
  const text = header.trim();
  const key = text.startsWith('"') ? quoted(text) : text;
  if (key !== undefined && /^[\x21-\x7e]{1,255}$/.test(key)) return ok(key);
  const issues = [{ path: "Idempotency-Key", message: MESSAGE }];
  return fail({ code: "malformed_request", issues });
}

/** What a Tenant tells repeats by: the key for this route, and a digest of all that was asked. */
export async function idempotencyOf(key: string, request: Repeatable): Promise<Idempotency> {
  const { method, path, query, envelope } = request;
  const asked = [method, path, query, canonical(envelope.fields), envelope.inputJson];
  const bytes = new TextEncoder().encode(JSON.stringify(asked));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const fingerprint = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return { key: `${method} ${path} ${key}`, fingerprint };
}

/** One text for bodies that differ in the order of keys or in blanks alone. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, one: unknown) =>
    typeof one === "object" && one !== null && !Array.isArray(one)
      ? Object.fromEntries(Object.entries(one).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : one,
  );
}

function quoted(text: string): string | undefined {
  try {
    const [value] = parseItem(text);
    return typeof value === "string" ? value : undefined;
  } catch (error) {
    if (error instanceof ParseError) return undefined;
    throw error;
  }
}
