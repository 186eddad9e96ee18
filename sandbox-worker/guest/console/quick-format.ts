/** The inspector's own measure for what goes on one line: characters, with its allowance for brackets. */
const BREAK_LENGTH = 80;
const BRACKETS = 11;
/** Characters that one level is indented by, were it broken into lines. */
const INDENT = 2;
/** Entries of a list or object shown here. A longer list might be set in columns. */
const ENTRIES_MAX = 6;
/** Levels below the first. The inspector cuts off what is deeper. */
const DEPTH_MAX = 2;

/** Text that the inspector puts between single quotes as it is. */
const PLAIN_TEXT = /^[ !#-&(-[\]-_a-~\u00a1-\u00ac\u00ae-\u02ff]*$/;
const PLAIN_KEY = /^[a-zA-Z_][a-zA-Z_0-9]*$/;

/**
 * A console line of simple values, exactly as the inspector would write it; null where that is not
 * sure. The inspector takes milliseconds to start, and most lines are a text or a small object.
 */
export function quickFormat(args: readonly unknown[]): string | null {
  const [first] = args;
  if (typeof first === "string" && args.length > 1 && first.includes("%")) return null;
  let line = "";
  for (const [i, arg] of args.entries()) {
    const text = typeof arg === "string" ? arg : quickInspect(arg, 0);
    if (text === null) return null;
    line += i === 0 ? text : ` ${text}`;
  }
  return line;
}

function quickInspect(value: unknown, depth: number): string | null {
  switch (typeof value) {
    case "string":
      return PLAIN_TEXT.test(value) ? `'${value}'` : null;
    case "number":
      return Object.is(value, -0) ? "-0" : String(value);
    case "bigint":
      return `${value}n`;
    case "boolean":
    case "undefined":
      return String(value);
    case "object":
      return value === null ? "null" : quickObject(value, depth);
    case "symbol":
    case "function":
      return null;
  }
}

function quickObject(value: object, depth: number): string | null {
  if (depth > DEPTH_MAX) return null;
  const isList = Array.isArray(value);
  if (Object.getPrototypeOf(value) !== (isList ? Array.prototype : Object.prototype)) return null;
  const keys = Reflect.ownKeys(value);
  // A list has its length among them.
  const count = isList ? keys.length - 1 : keys.length;
  if (count > ENTRIES_MAX || (isList && count !== value.length)) return null;
  const parts: string[] = [];
  // Each entry counts its own length, its comma and one more.
  let length = 2 * count + INDENT * depth + BRACKETS;
  for (const key of keys) {
    if (typeof key !== "string" || key === "constructor") return null;
    const property = Reflect.getOwnPropertyDescriptor(value, key);
    if (property === undefined || !("value" in property)) return null;
    if (isList && key === "length") continue;
    if (!property.enumerable || (!isList && !PLAIN_KEY.test(key))) return null;
    const text = quickInspect(property.value, depth + 1);
    if (text === null) return null;
    const part = isList ? text : `${key}: ${text}`;
    parts.push(part);
    length += part.length;
    if (length > BREAK_LENGTH) return null;
  }
  if (parts.length === 0) return isList ? "[]" : "{}";
  const joined = parts.join(", ");
  return isList ? `[ ${joined} ]` : `{ ${joined} }`;
}
