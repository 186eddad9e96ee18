import type { OrderSent, StreamCut } from "../../gateway/lanes/container.ts";
import type { OrderRefusal } from "../../protocol/container-api.ts";
import type { Certainty, Outcome } from "../../protocol/outcome.ts";
import { SIGNATURE_WINDOW_MS } from "../../protocol/signature.ts";
import type { ExecutorAddress, QueuedLane } from "../job-contract.ts";

/** One run, from the grant on. */
export interface Attempt {
  readonly epoch: number;
  readonly runId: string;
  readonly lane: QueuedLane;
  readonly executor: ExecutorAddress;
  /** When the Job was told to start it. */
  readonly at: number;
  /** From submission to then. */
  readonly queueMs: number;
}

/** Why a run that is under way has to end before its time. */
export type Stop =
  | { readonly kind: "cancel"; readonly reason: string }
  /** Its executor said nothing for so long. */
  | { readonly kind: "silent"; readonly limitMs: number }
  /** It goes on past all that it may take. */
  | { readonly kind: "overdue"; readonly limitMs: number }
  /** Its executor tells of it what nobody can read. */
  | { readonly kind: "unusable"; readonly reason: string };

/** What a run came to, its result's text apart. */
export type RunEnd =
  | {
      readonly kind: "result";
      readonly outcome: Outcome;
      readonly certainty: Certainty;
      readonly cpuMs: number;
      readonly wallMs: number;
      /** The outcome is the platform's, and nothing of the run goes on. */
      readonly lost: boolean;
    }
  /** Nothing of it ever ran. */
  | { readonly kind: "not_taken"; readonly retryAfterMs: number };

/** Where a job's run is. Each change is one commit, so a Job goes on from here after any crash. */
export type Phase =
  /** No run: it waits in its Tenant's queue, or is over. */
  | { readonly kind: "waiting" }
  | {
      readonly kind: "starting";
      readonly attempt: Attempt;
      /** Since when an order may have arrived that nobody confirmed. */
      readonly doubtSince: number | null;
      readonly stop: Stop | null;
    }
  | {
      readonly kind: "running";
      readonly attempt: Attempt;
      /** Number of the executor's last event that is in the log. */
      readonly lastSeq: number;
      /** When the executor last confirmed that the run may go on. */
      readonly renewedAt: number;
      readonly stop: Stop | null;
      /** Artifacts that were told and could not be kept, each with why. */
      readonly unkept: readonly { readonly path: string; readonly reason: string }[];
    }
  /** The executor is done with it, or gone; the Tenant is still to be told. */
  | { readonly kind: "ended"; readonly attempt: Attempt; readonly end: RunEnd };

export type PhaseOf<Kind extends Phase["kind"]> = Extract<Phase, { kind: Kind }>;

/** Why a run has no result of its executor's. */
export type Loss =
  /** The executor says that nothing of the run lives. */
  | { readonly kind: "unknown_there" }
  /** It could not be asked until the run's lease was over, and with it the run. */
  | { readonly kind: "unreachable" }
  | Exclude<Stop, { kind: "cancel" }>;

/** What to do next with a run that is starting. */
export type StartDecision =
  | { readonly kind: "run" }
  | { readonly kind: "again"; readonly doubtSince: number | null }
  | { readonly kind: "not_taken"; readonly retryAfterMs: number }
  | { readonly kind: "refused"; readonly refusal: OrderRefusal }
  | { readonly kind: "lost"; readonly loss: Loss };

/** How soon an executor that nobody reaches is worth another grant; milliseconds. */
const UNREACHED_RETRY_MS = 1_000;

/**
 * What an executor's answer to an order means.
 *
 * An order that may have arrived unconfirmed is sent again, which never starts a second run. While
 * its signature is good it could still begin, so a refusal is believed only after that.
 */
export function decideStart(
  { doubtSince }: Pick<PhaseOf<"starting">, "doubtSince">,
  answer: OrderSent,
  now: number,
  leaseMs: number,
): StartDecision {
  switch (answer.kind) {
    case "taken":
      return { kind: "run" };
    case "refused":
      return { kind: "refused", refusal: answer.refusal };
    case "unusable":
      return { kind: "lost", loss: { kind: "unusable", reason: answer.reason } };
    case "busy":
      return doubtSince !== null && now - doubtSince < SIGNATURE_WINDOW_MS
        ? { kind: "again", doubtSince }
        : { kind: "not_taken", retryAfterMs: answer.retryAfterMs };
    case "unreachable": {
      const since = doubtSince ?? (answer.mayHaveArrived ? now : null);
      if (since === null) return { kind: "not_taken", retryAfterMs: UNREACHED_RETRY_MS };
      return now - since < leaseMs
        ? { kind: "again", doubtSince: since }
        : { kind: "lost", loss: { kind: "unreachable" } };
    }
  }
}

export type WatchDecision =
  | { readonly kind: "attach" }
  | { readonly kind: "kill"; readonly stop: Stop }
  | { readonly kind: "cancelled"; readonly certainty: Certainty; readonly reason: string }
  | { readonly kind: "lost"; readonly loss: Loss };

/**
 * What to do with a run whose stream ended without its `end`.
 *
 * An executor that is out of reach, or speaks nonsense, is asked until the run's lease is over:
 * by then it has killed the run itself.
 */
export function decideWatch(
  { renewedAt, stop }: Pick<PhaseOf<"running">, "renewedAt" | "stop">,
  answer: StreamCut,
  now: number,
  leaseMs: number,
): WatchDecision {
  switch (answer.kind) {
    case "cut":
      return { kind: "attach" };
    case "silent":
      return { kind: "kill", stop: stop ?? { kind: "silent", limitMs: answer.limitMs } };
    case "unknown":
      return stop?.kind === "cancel"
        ? { kind: "cancelled", certainty: "certain", reason: stop.reason }
        : { kind: "lost", loss: stop ?? { kind: "unknown_there" } };
    case "unreachable":
    case "unusable":
      if (now - renewedAt < leaseMs) return { kind: "attach" };
      return stop?.kind === "cancel"
        ? { kind: "cancelled", certainty: "unknown", reason: stop.reason }
        : { kind: "lost", loss: answer };
  }
}

/** Whether a loss leaves it open how far the run came. */
export const certaintyOf = (loss: Loss): Certainty =>
  loss.kind === "unreachable" || loss.kind === "unusable" ? "unknown" : "certain";

/** How long to wait before the next try, after so many that failed; milliseconds. */
export const retryDelayMs = (failures: number): number =>
  Math.min(100 * 2 ** Math.min(failures, 10), 5_000);
