import { defineLazy } from "./lazy-global.ts";
import { library } from "./library.ts";
import type { Run } from "./run-state.ts";

/** What a run's function gets beside its input. */
export interface RunContext {
  readonly runId: string;
  readonly env: Record<string, string>;
  /** Aborted when the run ends. */
  readonly signal: object;
}

/** The context of `run`; its signal is made when it is first asked for. */
export function makeContext(run: Run): RunContext {
  const ctx = { runId: run.boot.runId, env: { ...run.boot.env } };
  defineLazy(
    ctx,
    "signal",
    () => {
      const { AbortController } = library().abort();
      const { DOMException } = library().domException();
      const controller = new AbortController();
      const abort = (): void =>
        controller.abort(new DOMException("The run has ended", "AbortError"));
      if (run.ended) abort();
      else run.abort = abort;
      return controller.signal;
    },
    null,
    true,
  );
  return ctx as unknown as RunContext;
}
