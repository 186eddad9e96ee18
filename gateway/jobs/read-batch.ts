import type { Context } from "hono";

import { ok, type Result } from "../../protocol/result.ts";
import type { Config } from "../config.ts";
import { batchItems } from "../request/batch-items.ts";
import { readEnvelope } from "../request/envelope.ts";
import { idempotencyOf, readIdempotencyKey } from "../request/idempotency.ts";
import { readJsonText } from "../request/json-body.ts";
import { readDraft } from "./read-draft.ts";
import type { JobDraft } from "./submit-jobs.ts";

/**
 * Reads `{"jobs": [...]}`: a draft for each, or why it is none.
 *
 * An `Idempotency-Key` is one of each job at its place, so a batch that is sent again makes none
 * twice, also where the first was accepted in part.
 */
export async function readBatch(
  c: Context,
  ground: { readonly tenant: string; readonly config: Config; readonly now: number },
): Promise<Result<readonly Result<JobDraft>[]>> {
  const text = await readJsonText(c);
  if (!text.ok) return text;
  const key = readIdempotencyKey(c.req.header("Idempotency-Key"));
  if (!key.ok) return key;
  const items = batchItems(text.value);
  if (!items.ok) return items;
  const { pathname: path, search: query } = new URL(c.req.url);
  const drafts = items.value.map(async (item, index): Promise<Result<JobDraft>> => {
    const envelope = readEnvelope(item);
    if (!envelope.ok) return envelope;
    const idempotency =
      key.value === undefined
        ? null
        : await idempotencyOf(`${key.value} ${index}`, {
            method: "POST",
            path,
            query,
            envelope: envelope.value,
          });
    return readDraft(envelope.value, idempotency, ground);
  });
  return ok(await Promise.all(drafts));
}
