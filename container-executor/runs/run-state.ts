import type { KillCause } from "./verdict.ts";

/**
 * A run's way, and what may happen on it.
 *
 *     starting --(job started)--> running --(exit seen)--> collecting --(result made)--> ended
 *        |                          |
 *        |<------- kill ----------->|      a kill is a decision; the way on is the exit's
 *        |--(no container, or it was lost)--------------> collecting
 *
 * Pure: no clock. The first decision to kill stays; one that comes after the exit changes nothing,
 * so a cancel that races the end has one outcome.
 */
export type RunState =
  | { readonly kind: "starting"; readonly kill: Kill | null }
  | { readonly kind: "running"; readonly startedAtMs: number; readonly kill: Kill | null }
  | {
      readonly kind: "collecting";
      readonly startedAtMs: number | null;
      readonly kill: Kill | null;
      readonly exitedAtMs: number;
    }
  | { readonly kind: "ended" };

export interface Kill {
  readonly cause: KillCause;
  readonly atMs: number;
}

export type RunMove =
  | { readonly type: "started"; readonly atMs: number }
  | { readonly type: "kill"; readonly cause: KillCause; readonly atMs: number }
  | { readonly type: "exited"; readonly atMs: number }
  | { readonly type: "ended" };

export const STARTING: RunState = { kind: "starting", kill: null };

/** The state after a move; the same object where the move changes nothing. */
export function moved(state: RunState, move: RunMove): RunState {
  switch (move.type) {
    case "started":
      return state.kind === "starting"
        ? { kind: "running", startedAtMs: move.atMs, kill: state.kill }
        : state;
    case "kill":
      if (state.kind !== "starting" && state.kind !== "running") return state;
      return state.kill === null
        ? { ...state, kill: { cause: move.cause, atMs: move.atMs } }
        : state;
    case "exited":
      if (state.kind !== "starting" && state.kind !== "running") return state;
      return {
        kind: "collecting",
        startedAtMs: state.kind === "running" ? state.startedAtMs : null,
        kill: state.kill,
        exitedAtMs: move.atMs,
      };
    case "ended":
      return { kind: "ended" };
  }
}
