import type { Outcome } from "../protocol/outcome.ts";
import type { ConsoleLine, RunCaps, RunError } from "../protocol/sandbox-api.ts";
import type { Encoding, Isolation, Truncation, Unlinkable } from "../protocol/sandbox-api.ts";

/** What a cage needs to know of a run besides the work itself. */
export interface RunStart {
  readonly runId: string;
  readonly isolation: Isolation;
  readonly caps: RunCaps;
  readonly net: readonly string[];
  readonly stream: boolean;
}

/** A guest's outgoing request, to be made by the supervisor's guard: a cage has no network. */
export interface FetchStart {
  readonly fetchId: number;
  readonly method: string;
  readonly url: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly hasBody: boolean;
  readonly redirect: "follow" | "manual" | "error";
}

export interface FetchHead {
  readonly fetchId: number;
  readonly status: number;
  readonly statusText: string;
  readonly url: string;
  readonly redirected: boolean;
  readonly headers: readonly (readonly [name: string, value: string])[];
}

/** Why a fetch gave no (whole) response. `denied`: not granted, or not a public address. */
export interface FetchFailure {
  readonly fetchId: number;
  readonly kind: "denied" | "network" | "timeout" | "too_large" | "too_many";
  readonly message: string;
}

/** How a run ended, as far as the cage itself can say. Times are the run's own, not the queue's. */
export type CageEnd =
  | {
      readonly kind: "result";
      readonly outcome: Extract<
        Outcome,
        | "ok"
        | "failed"
        | "wall_timeout"
        | "cpu_timeout"
        | "memory_limit"
        | "output_limit"
        | "cancelled"
      >;
      readonly started: boolean;
      readonly valueJson: string | null;
      readonly encoding: Encoding | null;
      readonly error: RunError | null;
      readonly stdout: string;
      readonly stderr: string;
      readonly console: readonly ConsoleLine[];
      readonly truncated: Truncation | null;
      readonly wallMs: number;
      readonly cpuMs: number;
      readonly memoryPeakBytes: number;
      /** Whether the cage may be used again; if not, it is killed. */
      readonly reusable: boolean;
    }
  | { readonly kind: "unlinkable"; readonly unlinkable: Unlinkable };
