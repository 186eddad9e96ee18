import { toDomText } from "./idl.ts";

const LEGACY_CODES = {
  IndexSizeError: 1,
  HierarchyRequestError: 3,
  WrongDocumentError: 4,
  InvalidCharacterError: 5,
  NoModificationAllowedError: 7,
  NotFoundError: 8,
  NotSupportedError: 9,
  InUseAttributeError: 10,
  InvalidStateError: 11,
  SyntaxError: 12,
  InvalidModificationError: 13,
  NamespaceError: 14,
  InvalidAccessError: 15,
  TypeMismatchError: 17,
  SecurityError: 18,
  NetworkError: 19,
  AbortError: 20,
  URLMismatchError: 21,
  QuotaExceededError: 22,
  TimeoutError: 23,
  InvalidNodeTypeError: 24,
  DataCloneError: 25,
} as const;

/** The web's own error: what went wrong is its `name`. */
export class DOMException extends Error {
  readonly #name: string;

  constructor(message: unknown = "", options: unknown = "Error") {
    super(String(message));
    // A second argument that is an object holds the name, and perhaps a cause.
    const fields = typeof options === "object" && options !== null ? options : { name: options };
    this.#name = toDomText((fields as { name?: unknown }).name ?? "Error");
    if ("cause" in fields) {
      Object.defineProperty(this, "cause", {
        value: fields.cause,
        writable: true,
        configurable: true,
      });
    }
    // The stack's first line was written before the name was known.
    const stack = this.stack;
    if (typeof stack === "string" && stack.startsWith("Error")) {
      Object.defineProperty(this, "stack", {
        value: this.#name + stack.slice("Error".length),
        writable: true,
        configurable: true,
      });
    }
  }

  override get name(): string {
    return this.#name;
  }

  get code(): number {
    return (LEGACY_CODES as Record<string, number>)[this.#name] ?? 0;
  }

  get [Symbol.toStringTag](): string {
    return "DOMException";
  }
}

for (const [name, value] of Object.entries(LEGACY_CODES)) {
  const constant = `${name
    .replace(/Error$/, "")
    .replace(/([a-z])([A-Z])/g, "$1_$2")
    .toUpperCase()}_ERR`;
  for (const owner of [DOMException, DOMException.prototype]) {
    Object.defineProperty(owner, constant, { value, enumerable: true });
  }
}
