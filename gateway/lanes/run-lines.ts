import { ExecutorResult, RunLine } from "../../protocol/sandbox-api.ts";
import { isJson } from "../request/json-text.ts";
import { readTextLines } from "./text-lines.ts";

/**
 * Reads an executor's answer that comes as it happens, line by line.
 *
 * `heard` is called for each piece that arrives, whatever it holds.
 */
export async function* readRunLines(
  body: ReadableStream<Uint8Array>,
  heard: () => void,
): AsyncGenerator<RunLine> {
  for await (const line of readTextLines(body, heard)) yield readRunLine(line);
}

/** Reads an executor's answer that nobody follows: whole, in one step, which costs a fraction. */
export async function* readWholeRun(response: Response): AsyncGenerator<RunLine> {
  // Not `text()`: the runtime warns of text whose type does not begin with "text/".
  const lines = new TextDecoder().decode(await response.arrayBuffer()).split("\n");
  // What comes after the last newline is the beginning of a line that was cut off.
  for (const line of lines.slice(0, -1)) if (line !== "") yield readRunLine(line);
}

/** @throws {SyntaxError} Where the line is not of the protocol. */
function readRunLine(text: string): RunLine {
  const json: unknown = JSON.parse(text);
  const isEnd = typeof json === "object" && json !== null && "end" in json;
  const parsed = isEnd ? readEnd(json.end) : RunLine.safeParse(json).data;
  if (parsed === undefined) throw new SyntaxError("Cannot read a line: it is not of the protocol");
  return parsed;
}

function readEnd(json: unknown): RunLine | undefined {
  const { data } = ExecutorResult.safeParse(json);
  if (data === undefined) return undefined;
  const { valueJson } = data;
  return isValueText(valueJson) ? { end: data } : undefined;
}

/**
 * Whether a value's text may be put into an answer as it is: one JSON value and no more, and
 * without the line breaks that JSON allows, since an event ends with one.
 */
export const isValueText = (text: string | null): boolean =>
  text === null || (!/[\r\n]/.test(text) && isJson(text));
