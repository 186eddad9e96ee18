import type { Outcome } from "../../protocol/outcome.ts";
import type { InitExit } from "../channel/init-messages.ts";

/**
 * Why the service decided to end a run. `lease`: nobody renewed it. `drain`: the service was told
 * to stop with it. `engine`: its container was lost.
 */
export type KillCause = "cancelled" | "wall" | "cpu" | "output" | "lease" | "drain" | "engine";

/** How a run's program ended, as far as somebody saw it. */
export type ProgramEnd =
  /** Init saw everything. */
  | { readonly kind: "init"; readonly exit: InitExit }
  /** A container without init, or one whose init is gone: what the engine says of its first process. */
  | {
      readonly kind: "engine";
      readonly exitCode: number;
      readonly oomKilled: boolean;
      /** Whether it was the tenant's own program whose end this is. */
      readonly ownProgram: boolean;
    }
  /** The container could not be made, or vanished with all that was known of it. */
  | {
      readonly kind: "none";
      readonly detail: string;
      /** Whether the job was sent to a container: then some of it may have run. */
      readonly sent: boolean;
    };

/** What the control group counted, as last read; null where it could not be. */
export interface CgroupEvidence {
  readonly oomKills: number;
  readonly pidsRefused: number;
}

export interface Evidence {
  /** The service's own decision that came first; null where it made none. */
  readonly cause: KillCause | null;
  readonly end: ProgramEnd;
  readonly cgroup: CgroupEvidence | null;
}

export interface Verdict {
  readonly outcome: Outcome;
  /** Whether any of the tenant's code may have run. */
  readonly started: boolean;
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly error: { readonly name: string; readonly message: string } | null;
}

const OF_CAUSE: Readonly<Record<KillCause, Outcome>> = {
  cancelled: "cancelled",
  wall: "wall_timeout",
  cpu: "cpu_timeout",
  output: "output_limit",
  lease: "infra_lost",
  drain: "infra_lost",
  engine: "infra_lost",
};

/** How the engine tells that SIGKILL ended the first process. */
const SIGKILL_EXIT = 137;

/**
 * What a run's end was, from evidence, in this order:
 *
 * 1. Output over its cap is over it, however the program then ended.
 * 2. A program that never ran: what its set-up failed of.
 * 3. What init ended the job for: it saw the limit itself, before any decision of ours reached it.
 * 4. A program that ended by itself: exit 0 is `ok`, whatever happened to its children. Else the
 *    first of memory, disk and process limit that was hit, else `failed`.
 * 5. Our own decision, where it is what ended the program.
 * 6. A container without a word of its init: out of memory where the engine says so, else lost.
 */
export function verdictOf({ cause, end, cgroup }: Evidence): Verdict {
  switch (end.kind) {
    case "init":
      return ofInit(end.exit, cause, cgroup);
    case "engine":
      return ofEngine(end, cause, cgroup);
    case "none": {
      if (cause !== null && cause !== "engine") return ended(OF_CAUSE[cause], end.sent);
      return { ...ended("infra_lost", end.sent), error: platformError(end.detail) };
    }
  }
}

function ofInit(exit: InitExit, cause: KillCause | null, cgroup: CgroupEvidence | null): Verdict {
  const { end, killedFor, evidence } = exit;
  if (end.kind === "setup_failed") {
    const outcome = end.errno === "ENOSPC" ? "disk_limit" : "failed";
    return {
      ...ended(outcome, false),
      error: { name: "SetupError", message: `Cannot lay down "${end.path}": ${end.errno}` },
    };
  }
  if (end.kind === "exec_failed") {
    return {
      ...ended("failed", false),
      error: { name: "ExecError", message: `Cannot execute the program: ${end.errno}` },
    };
  }
  const exitCode = end.kind === "exited" ? end.code : null;
  const signal = end.kind === "signalled" ? end.signal : null;
  const as = (outcome: Outcome): Verdict => ({
    outcome,
    started: true,
    exitCode,
    signal,
    error: null,
  });
  if (cause === "output") return as("output_limit");
  switch (killedFor) {
    case "memory_limit":
    case "disk_limit":
      return as(killedFor);
    case "cpu_limit":
      return as("cpu_timeout");
    case "lease_expired":
      return as("infra_lost");
    case "cancelled":
      // Init cancels only when it is told to.
      return as(OF_CAUSE[cause ?? "engine"]);
    case null:
      break;
  }
  if (exitCode === 0) return as("ok");
  const oomKills = Math.max(evidence.oomKills, cgroup?.oomKills ?? 0);
  if (oomKills > 0) return as("memory_limit");
  if (evidence.diskFull) return as("disk_limit");
  const pidsRefused = Math.max(evidence.pidsRefused, cgroup?.pidsRefused ?? 0);
  if (pidsRefused > 0) return as("process_limit");
  return as("failed");
}

function ofEngine(
  end: Extract<ProgramEnd, { kind: "engine" }>,
  cause: KillCause | null,
  cgroup: CgroupEvidence | null,
): Verdict {
  const { exitCode, oomKilled, ownProgram } = end;
  if (cause !== null) return { ...ended(OF_CAUSE[cause], true), signal: "SIGKILL" };
  const oom = oomKilled || (cgroup?.oomKills ?? 0) > 0;
  if (!ownProgram) {
    return oom
      ? { ...ended("memory_limit", true), signal: "SIGKILL" }
      : {
          ...ended("infra_lost", true),
          error: platformError(`the container ended by itself with ${exitCode}`),
        };
  }
  const as = (outcome: Outcome): Verdict => ({ ...ended(outcome, true), exitCode });
  if (exitCode === 0) return as("ok");
  if (oom && exitCode === SIGKILL_EXIT) return as("memory_limit");
  if ((cgroup?.pidsRefused ?? 0) > 0) return as("process_limit");
  return as("failed");
}

const ended = (outcome: Outcome, started: boolean): Verdict => ({
  outcome,
  started,
  exitCode: null,
  signal: null,
  error: null,
});

const platformError = (message: string): Verdict["error"] => ({ name: "PlatformError", message });
