import type { ExecutorResult } from "../../protocol/sandbox-api.ts";

/**
 * Whether `json` is the result of a run that ended well and said nothing, told without the schema.
 *
 * Most results are, and the schema costs many times as much. True only of what `ExecutorResult`
 * takes as it is; false says nothing, and the schema decides.
 */
export function isPlainResult(json: unknown): json is ExecutorResult {
  if (!hasKeys(json, RESULT_KEYS)) return false;
  return (
    typeof json.runId === "string" &&
    json.outcome === "ok" &&
    json.certainty === "certain" &&
    json.started === true &&
    typeof json.valueJson === "string" &&
    (json.encoding === "json" || json.encoding === "tagged") &&
    json.error === null &&
    typeof json.stdout === "string" &&
    typeof json.stderr === "string" &&
    Array.isArray(json.console) &&
    json.console.length === 0 &&
    json.truncated === null &&
    isPlainUsage(json.usage)
  );
}

function isPlainUsage(json: unknown): boolean {
  if (!hasKeys(json, USAGE_KEYS)) return false;
  const { queueMs, wallMs, cpuMs, memoryPeakBytes, fetches } = json;
  return (
    [queueMs, wallMs, cpuMs].every((ms) => Number.isFinite(ms) && Number(ms) >= 0) &&
    [memoryPeakBytes, fetches].every((count) => Number.isSafeInteger(count) && Number(count) >= 0)
  );
}

const RESULT_KEYS = [
  "runId",
  "outcome",
  "certainty",
  "started",
  "valueJson",
  "encoding",
  "error",
  "stdout",
  "stderr",
  "console",
  "truncated",
  "usage",
] as const;

const USAGE_KEYS = ["queueMs", "wallMs", "cpuMs", "memoryPeakBytes", "fetches"] as const;

/** Whether `json` is an object with these keys and no others. */
function hasKeys<K extends string>(
  json: unknown,
  keys: readonly K[],
): json is Readonly<Record<K, unknown>> {
  if (typeof json !== "object" || json === null) return false;
  return Object.keys(json).length === keys.length && keys.every((key) => Object.hasOwn(json, key));
}
