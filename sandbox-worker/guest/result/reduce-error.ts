import { library } from "../library.ts";
import {
  isError,
  makeString,
  stringIncludes,
  stringIndexOf,
  stringSlice,
  symbolToString,
} from "../primordials.ts";

/** What is kept of a thrown value: text alone, so that nothing of the guest's is read later. */
export interface ReducedError {
  readonly name: string;
  readonly message: string;
  /** Empty where the value had none. Without the runtime's own frames; causes follow their error. */
  readonly stack: string;
}

/** Characters kept of a name or a message. A program may throw a whole document. */
const ERROR_TEXT_MAX = 2_000;
/** Characters kept of a stack, causes included: ten frames of long names and five causes fit. */
const ERROR_STACK_MAX = 16_000;
/** Causes shown below an error; a chain may be a cycle. */
const ERROR_CAUSES_MAX = 5;

/** The name this bundle is compiled under: its frames say nothing to a tenant. */
const RUNTIME_FILE = "bulkhead:runtime";

/**
 * Reduces whatever was thrown to text. Runs the value's getters, each on its own, so that one
 * which throws costs its own part only; never throws itself.
 */
export function reduceError(thrown: unknown): ReducedError {
  if (!isErrorLike(thrown)) {
    return {
      name: "Error",
      message: cut(`Uncaught ${describe(thrown)}`, ERROR_TEXT_MAX),
      stack: "",
    };
  }
  const name = textOf(thrown, "name") ?? "Error";
  const message = textOf(thrown, "message") ?? "";
  return {
    name: cut(name, ERROR_TEXT_MAX),
    message: cut(message, ERROR_TEXT_MAX),
    stack: cut(stackWithCauses(thrown), ERROR_STACK_MAX),
  };
}

/** Removes this bundle's frames from the text of a stack. */
export function withoutRuntimeFrames(text: string): string {
  if (!stringIncludes(text, RUNTIME_FILE)) return text;
  let kept = "";
  let from = 0;
  while (from <= text.length) {
    const end = stringIndexOf(text, "\n", from);
    const to = end === -1 ? text.length : end;
    const line = stringSlice(text, from, to);
    const isFrame = stringIncludes(line, "    at ") && stringIncludes(line, RUNTIME_FILE);
    if (!isFrame) kept += from === 0 ? line : `\n${line}`;
    from = to + 1;
  }
  return kept;
}

function isErrorLike(thrown: unknown): thrown is object {
  if (typeof thrown !== "object" || thrown === null) return false;
  // A Proxy of an error, or a copy made by hand, is as good as one to whoever reads the result.
  return isError(thrown) || (textOf(thrown, "name") !== null && textOf(thrown, "message") !== null);
}

function stackWithCauses(thrown: object): string {
  let text = ownStack(thrown);
  let cause = read(thrown, "cause");
  for (let depth = 0; cause !== undefined && depth < ERROR_CAUSES_MAX; depth++) {
    const error: object | null = isErrorLike(cause) ? cause : null;
    text += `\nCaused by: ${error === null ? describe(cause) : ownStack(error)}`;
    cause = error === null ? undefined : read(error, "cause");
    if (text.length > ERROR_STACK_MAX) break;
  }
  return text;
}

function ownStack(thrown: object): string {
  const stack = textOf(thrown, "stack");
  if (stack !== null) return withoutRuntimeFrames(stack) + innerErrors(thrown);
  return `${textOf(thrown, "name") ?? "Error"}: ${textOf(thrown, "message") ?? ""}`;
}

/** An `AggregateError` says by its parts what went wrong. */
function innerErrors(thrown: object): string {
  const errors = read(thrown, "errors");
  if (typeof errors !== "object" || errors === null) return "";
  const length = read(errors, "length");
  if (typeof length !== "number") return "";
  let text = "";
  for (let i = 0; i < length && i < ERROR_CAUSES_MAX; i++) {
    const inner = read(errors, `${i}`);
    const said = isErrorLike(inner)
      ? `${textOf(inner, "name") ?? "Error"}: ${textOf(inner, "message") ?? ""}`
      : describe(inner);
    text += `\n    [errors ${i}]: ${cut(said, ERROR_TEXT_MAX)}`;
  }
  return text;
}

function read(target: object, key: string): unknown {
  try {
    return (target as Record<string, unknown>)[key];
  } catch {
    return undefined;
  }
}

function textOf(target: object, key: string): string | null {
  const value = read(target, key);
  return typeof value === "string" ? value : null;
}

function describe(value: unknown): string {
  try {
    switch (typeof value) {
      case "string":
        return `"${cut(value, ERROR_TEXT_MAX)}"`;
      case "bigint":
        return `${makeString(value)}n`;
      case "symbol":
        return symbolToString(value);
      case "function":
        return "a function";
      case "object":
        return value === null ? "null" : describeObject(value);
      case "number":
      case "boolean":
      case "undefined":
        return makeString(value);
    }
  } catch {
    return "a value that cannot be read";
  }
}

function describeObject(value: object): string {
  const message = textOf(value, "message");
  if (message !== null) return message;
  const shown = library().inspect().inspect(value, { depth: 2, maxStringLength: ERROR_TEXT_MAX });
  return cut(shown, ERROR_TEXT_MAX);
}

function cut(text: string, max: number): string {
  return text.length <= max ? text : `${stringSlice(text, 0, max - 1)}…`;
}
