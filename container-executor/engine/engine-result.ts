/**
 * Why the engine did not do what it was asked.
 *
 * `missing`: what was named is not there. `conflict`: it is there already, or in a state that
 * forbids it. `refused`: the engine says no. `silent`: no answer came, so whether it was done is
 * not known.
 */
export interface EngineFailure {
  readonly kind: "missing" | "conflict" | "refused" | "silent";
  /** The engine's own words, for the log of the operator. */
  readonly message: string;
}

export type EngineResult<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly failure: EngineFailure };

/** Longest text of the engine's that is kept; it may quote a request. Characters. */
const MESSAGE_MAX = 500;

/** Reads an error of the engine's client. Anything without a status is silence. */
export function engineFailure(error: unknown): EngineFailure {
  const status: unknown =
    error instanceof Error && "statusCode" in error ? error.statusCode : undefined;
  const message = (error instanceof Error ? error.message : String(error)).slice(0, MESSAGE_MAX);
  switch (status) {
    case 404:
      return { kind: "missing", message };
    case 304:
    case 409:
      return { kind: "conflict", message };
    case undefined:
      return { kind: "silent", message };
    default:
      return { kind: "refused", message };
  }
}
