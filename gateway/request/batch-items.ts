import { BATCH_MAX } from "../../protocol/job.ts";
import { fail, ok, type Result } from "../../protocol/result.ts";
import { JSON_DEPTH_MAX } from "./envelope.ts";
import { JsonCursor } from "./json-text.ts";

/**
 * Splits `{"jobs": [...]}` into the texts of its items, each exactly as it was sent: an item's
 * input is told on as the text that it is.
 */
export function batchItems(text: string): Result<readonly string[]> {
  const cursor = new JsonCursor(text);
  const items: string[] = [];
  const isRead = skipTo(cursor, OPEN_OBJECT) && key(cursor) && skipTo(cursor, OPEN_LIST);
  if (!isRead) return malformed;
  do {
    cursor.space();
    const start = cursor.at;
    if (!cursor.value(JSON_DEPTH_MAX)) return malformed;
    items.push(text.slice(start, cursor.at));
    if (items.length > BATCH_MAX) return malformed;
  } while (skipTo(cursor, COMMA));
  const isClosed = skipTo(cursor, CLOSE_LIST) && skipTo(cursor, CLOSE_OBJECT);
  cursor.space();
  return isClosed && cursor.at === text.length ? ok(items) : malformed;
}

/** Moves over blanks and one character, if it is the one. */
function skipTo(cursor: JsonCursor, code: number): boolean {
  cursor.space();
  return cursor.take(code);
}

/** Moves over the one key that there may be, and its colon. */
function key(cursor: JsonCursor): boolean {
  cursor.space();
  const start = cursor.at;
  if (!cursor.string() || cursor.text.slice(start, cursor.at) !== '"jobs"') return false;
  return skipTo(cursor, COLON);
}

const malformed: Result<never> = fail({
  code: "malformed_request",
  issues: [
    {
      path: "",
      message: `must be {"jobs": [...]} with 1 to ${BATCH_MAX} jobs, and no other field`,
    },
  ],
});

const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
