import type { ScriptRequest } from "../../protocol/run-request.ts";

/**
 * A script's request of code and no more than its language, lane and isolation, read without the
 * schema, or undefined where it is anything else.
 *
 * Most requests are, and the schema costs many times as much. What it gives is what
 * `ScriptRequest` would; undefined says nothing, and the schema decides.
 */
export function readPlainScript(
  fields: Readonly<Record<string, unknown>>,
): ScriptRequest | undefined {
  const { lane = "auto", language, code, isolation, ...others } = fields;
  if (lane !== "auto" && lane !== "isolate") return undefined;
  if (language !== "javascript" && language !== "typescript") return undefined;
  if (typeof code !== "string" || code === "") return undefined;
  if (
    isolation !== undefined &&
    isolation !== "run" &&
    isolation !== "tenant" &&
    isolation !== "warm"
  ) {
    return undefined;
  }
  if (Object.keys(others).length > 0) return undefined;
  const read: ScriptRequest = {
    lane,
    language,
    code,
    modules: {},
    limits: {},
    permissions: { net: [] },
    env: {},
  };
  return isolation === undefined ? read : { ...read, isolation };
}
