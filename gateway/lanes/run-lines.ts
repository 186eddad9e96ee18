import { ExecutorResult, RunLine } from "../../protocol/sandbox-api.ts";
import { isJson } from "../request/json-text.ts";
import { isPlainResult } from "./plain-result.ts";

/** A line longer than any result with the largest limits is not one of ours. Characters. */
const LINE_MAX_CHARS = 64 * 1024 * 1024;

/**
 * Reads an executor's answer that comes as it happens, line by line. An empty line is a heartbeat
 * and is passed over.
 *
 * `heard` is called for each piece that arrives, whatever it holds.
 */
export async function* readRunLines(
  body: ReadableStream<Uint8Array>,
  heard: () => void,
): AsyncGenerator<RunLine> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let pieces: string[] = [];
  let length = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      heard();
      let text = decoder.decode(value, { stream: true });
      for (let end = text.indexOf("\n"); end !== -1; end = text.indexOf("\n")) {
        pieces.push(text.slice(0, end));
        const line = pieces.join("");
        pieces = [];
        length = 0;
        text = text.slice(end + 1);
        if (line !== "") yield readRunLine(line);
      }
      pieces.push(text);
      length += text.length;
      if (length > LINE_MAX_CHARS) throw new SyntaxError("Cannot read a line: it is too long");
    }
  } finally {
    // Also where the reader of the lines stops early: the executor then sees its run abandoned.
    await reader.cancel().catch(() => undefined);
  }
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

/**
 * The value's text is put into an answer as it is, so it must be one JSON value and no more, and
 * without the line breaks that JSON allows: an event ends with one.
 */
function readEnd(json: unknown): RunLine | undefined {
  const data = isPlainResult(json) ? json : ExecutorResult.safeParse(json).data;
  if (data === undefined) return undefined;
  const { valueJson } = data;
  const fits = valueJson === null || (!/[\r\n]/.test(valueJson) && isJson(valueJson));
  return fits ? { end: data } : undefined;
}
