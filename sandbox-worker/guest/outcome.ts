import { ops } from "./ops.ts";
import { encodeResult } from "./result/encode.ts";
import { reduceError } from "./result/reduce-error.ts";
import { currentRun, type Run } from "./run-state.ts";

/** Ends `run` with a value, unless it has ended. Never throws: what encoding throws is the failure. */
export function settleRun(run: Run, value: unknown): void {
  if (run.ended || currentRun() !== run) return;
  try {
    const encoded = encodeResult(value, run.boot.resultBytes);
    // A getter may have failed the run meanwhile.
    if (run.ended) return;
    run.ended = true;
    if (encoded.kind === "overflow") ops.overflow();
    else ops.settle(encoded.encoding, encoded.json);
  } catch (thrown) {
    failRun(run, thrown);
    return;
  }
  abortQuietly(run);
}

/** Ends `run` with what was thrown, unless it has ended. Never throws. */
export function failRun(run: Run, thrown: unknown): void {
  if (run.ended || currentRun() !== run) return;
  const { name, message, stack } = reduceError(thrown);
  if (run.ended) return;
  run.ended = true;
  ops.fail(name, message, stack);
  abortQuietly(run);
}

/** Fails the run under way: what nobody caught ends it, as it would a process. */
export function failCurrent(thrown: unknown): void {
  const run = currentRun();
  if (run !== null) failRun(run, thrown);
}

function abortQuietly(run: Run): void {
  try {
    run.abort?.();
  } catch {
    // The run has its outcome; what its listeners throw afterwards changes nothing.
  }
}
