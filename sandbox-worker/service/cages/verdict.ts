import type { Outcome } from "../../../protocol/outcome.ts";
import type { RunError } from "../../../protocol/sandbox-api.ts";
import type { WatchdogWord } from "../../frames.ts";

/** Why the supervisor itself killed a cage under a run. */
export type KillReason = "deadline" | "shutdown" | "broken";

/** What is known of a run whose cage died before it sent the run's end. */
export interface DeathEvidence {
  /** Whether the run's client or gateway had given it up. */
  readonly cancelled: boolean;
  readonly watchdogWord: WatchdogWord | null;
  /** Whether the cage's memory limit killed. */
  readonly overran: boolean;
  /** Whether V8 said, on its way out, that it had no memory left. */
  readonly heapExhausted: boolean;
  readonly killedBy: KillReason | null;
  readonly exitCode: number | null;
  readonly signal: string | null;
}

export interface Verdict {
  readonly outcome: Outcome;
  readonly error: RunError | null;
}

/** As a shell and bubblewrap report it, and as Node does. */
const SIGKILL_CODE = 128 + 9;

const CRASH: RunError = {
  name: "SandboxCrash",
  message: "Cannot finish the run: the code crashed the process it ran in",
  stack: null,
};

/**
 * How a run ended whose cage died. The first that holds decides:
 * 1. it was cancelled;
 * 2. the watchdog's last word;
 * 3. the memory limit killed, or V8 ran out: `memory_limit`;
 * 4. the supervisor's own deadline: `wall_timeout`;
 * 5. the supervisor's shutdown, or a SIGKILL from nobody known: `infra_lost`;
 * 6. anything else is a crash that the run brought about: `failed`.
 */
export function verdictOfDeath(evidence: DeathEvidence): Verdict {
  if (evidence.cancelled) return { outcome: "cancelled", error: null };
  if (evidence.watchdogWord !== null) return { outcome: evidence.watchdogWord, error: null };
  if (evidence.overran || evidence.heapExhausted) return { outcome: "memory_limit", error: null };
  switch (evidence.killedBy) {
    case "deadline":
      return { outcome: "wall_timeout", error: null };
    case "shutdown":
      return { outcome: "infra_lost", error: null };
    case "broken":
      return { outcome: "failed", error: CRASH };
    case null:
      return evidence.signal === "SIGKILL" || evidence.exitCode === SIGKILL_CODE
        ? { outcome: "infra_lost", error: null }
        : { outcome: "failed", error: CRASH };
  }
}

/**
 * Whether to run once more, unseen: the cage was lost through no doing of the run, and no statement
 * of the tenant's had run.
 */
export function isSilentRetry(run: {
  readonly outcome: Outcome;
  readonly started: boolean;
  readonly attempt: number;
  readonly killedBy: KillReason | null;
}): boolean {
  return run.outcome === "infra_lost" && !run.started && run.attempt === 1 && run.killedBy === null;
}

/** What V8 and Node write to standard error when memory runs out. */
export function saysOutOfMemory(stderr: string): boolean {
  return /(?:FATAL ERROR|Fatal).*out of memory|FatalProcessOutOfMemory/.test(stderr);
}
