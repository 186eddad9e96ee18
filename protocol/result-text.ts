import type { RunResult } from "./run-result.ts";

/** A result whose value is still the text that the executor sent. */
export interface UnparsedResult extends Omit<RunResult, "value"> {
  readonly valueJson: string | null;
}

/** A result as JSON text, its value put in as the text it is: one JSON value without line breaks. */
export function resultJson(result: UnparsedResult): string {
  const { id, jobId, lane, route, executor, outcome, certainty, retrySafe, valueJson, ...rest } =
    result;
  const before = JSON.stringify({
    id,
    jobId,
    lane,
    route,
    executor,
    outcome,
    certainty,
    retrySafe,
  });
  const after = JSON.stringify(rest);
  return `${before.slice(0, -1)},"value":${valueJson ?? "null"},${after.slice(1)}`;
}
