import { resultJson, type UnparsedResult } from "../../protocol/result-text.ts";
import { fail, ok, type Result } from "../../protocol/result.ts";
import type { RunStep, StartedRun } from "../lanes/isolate.ts";
import {
  resultOfEnd,
  resultOfLoss,
  resultOfUnlinkable,
  type RunFacts,
  unlinkableReason,
} from "./run-answer.ts";
import { EventWriter, KEEPALIVE_MS, type StreamFormat, writtenBody } from "./run-stream.ts";

/** A step that ends a run. */
export type LastStep = Exclude<RunStep, { event: unknown }>;

/** What an answer to a run is made of: a text, or a body that is still being written. */
export type RunBody = string | ReadableStream<Uint8Array>;

/**
 * Has a script that no isolate can link run in a container, for answers that have begun: its result
 * as JSON text, or undefined where it cannot run there either. `clientLeft` ends it.
 */
export type Escalate = (reason: string, clientLeft: AbortSignal) => Promise<string | undefined>;

/** JSON allows it before a value, so it can be written while there is nothing to say. */
const JSON_KEEPALIVE = " ";

/**
 * Answers a run with its result as JSON.
 *
 * A run that goes on for longer has its status sent before its end is known, and blanks until
 * then: nothing else shows that the client has closed its connection.
 */
export async function answerWithJson(
  facts: RunFacts,
  run: StartedRun,
  escalate: Escalate,
): Promise<Result<RunBody>> {
  const last = lastStepOf(run);
  const early = await within(last, KEEPALIVE_MS);
  if (early !== undefined) {
    const result = resultOf(facts, early);
    return result.ok ? ok(resultJson(result.value)) : result;
  }
  const client = new AbortController();
  const body = writtenBody(
    JSON_KEEPALIVE,
    async (write) => {
      const step = await last;
      write(await lateResultText(facts, step, (reason) => escalate(reason, client.signal)));
    },
    () => {
      run.cancel();
      client.abort();
    },
  );
  return ok(body);
}

/** Answers a run with its events as they come; the last carries the result. */
export async function answerWithEvents(
  facts: RunFacts,
  run: StartedRun,
  format: StreamFormat,
  escalate: Escalate,
): Promise<Result<RunBody>> {
  const client = new AbortController();
  const first = run.next();
  const early = await within(first, KEEPALIVE_MS);
  if (early !== undefined && !("event" in early)) {
    const result = resultOf(facts, early);
    if (!result.ok) return result;
  }
  const body = writtenBody(
    format.keepalive,
    async (write) => {
      const writer = new EventWriter(format, write);
      let step = await first;
      while ("event" in step) {
        if (step.event.type === "started") writer.started(facts.runId);
        else writer.console(step.event.line);
        step = await run.next();
      }
      writer.done(await lateResultText(facts, step, (reason) => escalate(reason, client.signal)));
    },
    () => {
      run.cancel();
      client.abort();
    },
  );
  return ok(body);
}

/** A run that tells of its last step, once, however it is read. */
export function observed(run: StartedRun, onLast: (step: LastStep) => void): StartedRun {
  const next = async (): Promise<RunStep> => {
    const step = await run.next();
    if (!("event" in step)) onLast(step);
    return step;
  };
  return { executor: run.executor, next, cancel: () => run.cancel() };
}

async function lastStepOf(run: StartedRun): Promise<LastStep> {
  for (;;) {
    const step = await run.next();
    if (!("event" in step)) return step;
  }
}

/** A run's result, or why there is none: told by status, so only while that can be chosen. */
function resultOf(facts: RunFacts, step: LastStep): Result<UnparsedResult> {
  if ("end" in step) return ok(resultOfEnd(facts, step.end));
  if ("unlinkable" in step) {
    if (!facts.laneIsOpen) return ok(resultOfUnlinkable(facts, step.unlinkable));
    const reason = unlinkableReason(step.unlinkable);
    return fail({ code: "lane_unavailable", lane: "container", reason });
  }
  const { passedMs } = step.lost;
  if (passedMs === undefined) return ok(resultOfLoss(facts));
  return fail({ code: "executor_timeout", lane: "isolate", limitMs: passedMs });
}

/** A run's result as JSON text, where the answer has begun and its status can be chosen no more. */
async function lateResultText(
  facts: RunFacts,
  step: LastStep,
  escalate: (reason: string) => Promise<string | undefined>,
): Promise<string> {
  if ("end" in step) return resultJson(resultOfEnd(facts, step.end));
  if ("lost" in step) return resultJson(resultOfLoss(facts));
  const elsewhere = facts.laneIsOpen
    ? await escalate(unlinkableReason(step.unlinkable))
    : undefined;
  return elsewhere ?? resultJson(resultOfUnlinkable(facts, step.unlinkable));
}

/** What `promise` gives, or undefined if it takes longer; it goes on either way. */
async function within<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: ReturnType<typeof setTimeout> | null = null;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
