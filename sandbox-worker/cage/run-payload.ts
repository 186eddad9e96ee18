import type { RunWork } from "../../protocol/sandbox-api.ts";
import type { RunStart } from "../cage-protocol.ts";

const NEWLINE = 0x0a;

/**
 * Splits a `run` frame: one line of the supervisor's, then the tenant's work, which nobody has
 * read before. The gateway has checked and signed it; what would break the cage is checked again.
 *
 * @throws {TypeError} Where it is of another shape.
 */
export function readRun(payload: Buffer): { readonly start: RunStart; readonly work: RunWork } {
  const end = payload.indexOf(NEWLINE);
  if (end === -1) throw new TypeError("Cannot read the run: it has no work");
  const start = JSON.parse(payload.toString("utf8", 0, end)) as RunStart;
  const work: unknown = JSON.parse(payload.toString("utf8", end + 1));
  if (!isRunWork(work)) throw new TypeError("Cannot read the run: its work has another shape");
  return { start, work };
}

const isRecordOfText = (value: unknown): value is Readonly<Record<string, string>> =>
  typeof value === "object" &&
  value !== null &&
  Object.values(value).every((item) => typeof item === "string");

function isRunWork(value: unknown): value is RunWork {
  if (typeof value !== "object" || value === null) return false;
  const { entry, modules, inputJson, env } = value as Partial<RunWork>;
  return (
    typeof entry === "string" &&
    isRecordOfText(modules) &&
    Object.hasOwn(modules, entry) &&
    isRecordOfText(env) &&
    (inputJson === null || typeof inputJson === "string")
  );
}
