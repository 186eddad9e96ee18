import { FailureError } from "../../protocol/failure.ts";
import type { Result } from "../../protocol/result.ts";

/**
 * A result's value, where a failure is the request's whole answer.
 *
 * @throws {FailureError} The failure, on its way to the edge.
 */
export function unwrap<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  throw new FailureError(result.failure);
}
