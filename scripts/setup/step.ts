/**
 * How one step of the set-up ended. A machine that lacks something is expected, so it is a value: the
 * other steps go on, and whoever needed the thing repeats the reason.
 */
export type StepResult<T> =
  | { readonly ready: true; readonly value: T; readonly note: string }
  | { readonly ready: false; readonly reason: string };

/** Says one line of progress to whoever started the set-up. */
export type Say = (line: string) => void;

export function ready<T>(value: T, note: string): StepResult<T> {
  return { ready: true, value, note };
}

export function lacking(reason: string): StepResult<never> {
  return { ready: false, reason };
}
