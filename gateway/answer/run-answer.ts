import { isRetrySafe } from "../../protocol/outcome.ts";
import type { UnparsedResult } from "../../protocol/result-text.ts";
import type { Route } from "../../protocol/run-result.ts";
import type { ExecutorResult, Unlinkable } from "../../protocol/sandbox-api.ts";
import type { IsolatePlan } from "../request/isolate-plan.ts";

/** What is known of a run whatever its end. */
export interface RunFacts {
  readonly runId: string;
  readonly route: Route;
  readonly executor: string;
  readonly plan: IsolatePlan;
  /** The request left the lane to the gateway. */
  readonly laneIsOpen: boolean;
}

/** The result of a run that its executor saw to its end. */
export function resultOfEnd(facts: RunFacts, end: ExecutorResult): UnparsedResult {
  const { started, outcome, certainty, valueJson, encoding, error } = end;
  const { stdout, stderr, console, truncated, usage } = end;
  return {
    ...common(facts),
    outcome,
    certainty,
    retrySafe: isRetrySafe({ started, reachesOutside: facts.plan.net.length > 0 }),
    valueJson,
    encoding,
    stdout,
    stderr,
    console,
    error,
    truncated,
    usage,
  };
}

/** The result of a run whose executor vanished. */
export function resultOfLoss(facts: RunFacts): UnparsedResult {
  return {
    ...common(facts),
    outcome: "infra_lost",
    certainty: "unknown",
    retrySafe: isRetrySafe({ started: true, reachesOutside: facts.plan.net.length > 0 }),
    error: {
      name: "InfraLost",
      message: "Cannot say how the run ended: its executor vanished",
      stack: null,
    },
  };
}

/** The result of a run that asked for isolates by name and imports what they cannot link. */
export function resultOfUnlinkable(facts: RunFacts, unlinkable: Unlinkable): UnparsedResult {
  return {
    ...common(facts),
    outcome: "failed",
    certainty: "certain",
    retrySafe: true,
    error: { name: "TypeError", message: unlinkableReason(unlinkable), stack: null },
  };
}

/** Both parts are the tenant's text, so they are cut. */
export const unlinkableReason = ({ specifier, importer }: Unlinkable): string =>
  `Cannot link "${specifier.slice(0, 200)}", imported by "${importer.slice(0, 200)}": isolates have no such module`;

function common({ runId, route, executor, plan }: RunFacts) {
  return {
    id: runId,
    jobId: null,
    lane: route.lane,
    route,
    executor,
    valueJson: null,
    encoding: null,
    stdout: "",
    stderr: "",
    console: [],
    exitCode: null,
    signal: null,
    truncated: null,
    artifacts: [],
    usage: { queueMs: 0, wallMs: 0, cpuMs: 0, memoryPeakBytes: 0, fetches: 0 },
    limits: plan.limits,
  };
}
