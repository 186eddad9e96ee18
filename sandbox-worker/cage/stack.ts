/** Characters kept of an error's parts. A program may throw a whole document. */
export const ERROR_NAME_MAX = 256;
export const ERROR_MESSAGE_MAX = 2_000;
export const ERROR_STACK_MAX = 8_000;

/** Finds the position in a module as sent of one in what was compiled; both from 1. */
export type MapPosition = (
  url: string,
  line: number,
  column: number,
) => { readonly line: number; readonly column: number } | null;

const FRAME = /^\s+at /;
/** The innermost place of a frame; what stands before may be a function's name, or `eval at …`. */
const PLACE = /(file:\/\/\/[^\s()]*?):(\d+):(\d+)/g;
/** Frames of V8 itself have no place; they say what called a callback. */
const NATIVE_FRAME = /\((?:<anonymous>|native|index \d+)\)$|^\s+at (?:async )?<anonymous>$/;

/**
 * Rewrites a stack as V8 made it inside an isolate: positions become those of the sources as sent;
 * frames of anything but the tenant's modules and V8 itself are left out.
 */
export function mapStack(stack: string, mapPosition: MapPosition): string {
  const kept: string[] = [];
  for (const line of stack.slice(0, ERROR_STACK_MAX * 4).split("\n")) {
    const mapped = FRAME.test(line) ? mapFrame(line, mapPosition) : line;
    if (mapped !== null) kept.push(mapped);
  }
  return kept.join("\n").slice(0, ERROR_STACK_MAX);
}

/** The same for text that may have a stack anywhere in it, and is otherwise the guest's own. */
export function mapPlaces(text: string, mapPosition: MapPosition): string {
  if (!text.includes("file:///")) return text;
  const lines = text.split("\n");
  return lines
    .map((line) => (FRAME.test(line) ? mapLine(line, mapPosition).text : line))
    .join("\n");
}

/** A `stack` in tagged JSON, as JSON writes text; its lines end with the two characters of `\n`. */
const JSON_STACK = /"stack":"((?:[^"\\]|\\.)*)"/g;

/** The same for the errors in a result, without reading the rest of it. */
export function mapResultStacks(json: string, mapPosition: MapPosition): string {
  if (!json.includes('"$type":"error"')) return json;
  return json.replace(JSON_STACK, (_, stack: string) => {
    const lines = stack.split("\\n").map((line) => mapPlaces(line, mapPosition));
    return `"stack":"${lines.join("\\n")}"`;
  });
}

function mapFrame(line: string, mapPosition: MapPosition): string | null {
  const { text, placed, foreign } = mapLine(line, mapPosition);
  if (foreign) return null;
  return placed || NATIVE_FRAME.test(line) ? text : null;
}

interface MappedLine {
  readonly text: string;
  /** Whether a place was one of the tenant's modules, and whether one was not. */
  readonly placed: boolean;
  readonly foreign: boolean;
}

function mapLine(line: string, mapPosition: MapPosition): MappedLine {
  let foreign = false;
  let placed = false;
  const text = line.replace(PLACE, (place, url: string, row: string, column: string) => {
    const position = mapPosition(url, Number(row), Number(column));
    if (position === null) {
      foreign = true;
      return place;
    }
    placed = true;
    return `${url}:${position.line}:${position.column}`;
  });
  return { text, placed, foreign };
}

const VM_PLACE = / \[(file:\/\/\/.*):(\d+):(\d+)\]$/;

/** An error of the compiler or linker: isolated-vm adds the place to the message. */
export function splitPlace(
  message: string,
  mapPosition: MapPosition,
): { readonly message: string; readonly place: string | null } {
  const match = VM_PLACE.exec(message);
  if (match === null) return { message, place: null };
  const [whole, url = "", line = "", column = ""] = match;
  const position = mapPosition(url, Number(line), Number(column));
  return {
    message: message.slice(0, -whole.length),
    place: position === null ? null : `${url}:${position.line}:${position.column}`,
  };
}
