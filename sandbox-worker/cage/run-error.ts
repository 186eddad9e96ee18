import type { RunError } from "../../protocol/sandbox-api.ts";
import type { ModulesByUrl } from "./link.ts";
import { positionInSource } from "./module-cache.ts";
import {
  ERROR_MESSAGE_MAX,
  ERROR_NAME_MAX,
  mapStack,
  splitPlace,
  type MapPosition,
} from "./stack.ts";

/** What is known of an error: text alone. */
export interface ErrorText {
  readonly name: string;
  readonly message: string;
  readonly stack: string;
}

/** Finds positions in the sources as sent. */
export const mapperOf =
  (modules: ModulesByUrl): MapPosition =>
  (url, line, column) => {
    const module = modules.get(url);
    return module === undefined ? null : positionInSource(module, line, column);
  };

/** An error of the tenant's code as a caller sees it: cut, and placed in the sources as sent. */
export function toRunError(error: ErrorText, modules: ModulesByUrl): RunError {
  const mapPosition = mapperOf(modules);
  const { message, place } = splitPlace(error.message, mapPosition);
  if (place !== null) return placedError(error.name, message, place);
  const stack = mapStack(error.stack, mapPosition);
  return {
    name: error.name.slice(0, ERROR_NAME_MAX),
    message: message.slice(0, ERROR_MESSAGE_MAX),
    stack: stack === "" ? null : stack,
  };
}

/** An error of the compiler or linker, which has a place and no frames. */
export function placedError(name: string, message: string, place: string | null): RunError {
  const text = message.slice(0, ERROR_MESSAGE_MAX);
  if (place === null) return { name, message: text, stack: `${name}: ${text}` };
  return { name, message: `${text} at ${place}`, stack: `${name}: ${text}\n    at ${place}` };
}

/** Where the host's own frames begin, below those of the guest. */
const BOUNDARY = "\n    at (<isolated-vm boundary>)";

/** What isolated-vm threw, as text: its copies of errors have text only, but a primitive is any. */
export function textOfThrown(thrown: unknown): ErrorText {
  if (!(thrown instanceof Error)) {
    return { name: "Error", message: `Uncaught ${String(thrown)}`, stack: "" };
  }
  const { name, message, stack = "" } = thrown;
  const [own = ""] = stack.split(BOUNDARY, 1);
  return { name, message, stack: own };
}
