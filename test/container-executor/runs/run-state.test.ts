import { expect, test } from "vitest";

import { moved, STARTING } from "../../../container-executor/runs/run-state.ts";
import type { RunMove, RunState } from "../../../container-executor/runs/run-state.ts";

const after = (...moves: readonly RunMove[]): RunState => moves.reduce(moved, STARTING);

const started = { type: "started", atMs: 1 } as const;
const exited = { type: "exited", atMs: 5 } as const;
const kill = (cause: "cancelled" | "wall", atMs = 3) => ({ type: "kill", cause, atMs }) as const;

test("a run starts, runs, is collected and has ended", () => {
  expect(after(started)).toEqual({ kind: "running", startedAtMs: 1, kill: null });
  expect(after(started, exited)).toEqual({
    kind: "collecting",
    startedAtMs: 1,
    kill: null,
    exitedAtMs: 5,
  });
  expect(after(started, exited, { type: "ended" })).toEqual({ kind: "ended" });
});

test("the first decision to kill stays", () => {
  const state = after(started, kill("wall"), kill("cancelled", 4));
  expect(state).toMatchObject({ kill: { cause: "wall", atMs: 3 } });
});

test("a decision before the start is kept over it", () => {
  expect(after(kill("cancelled"), started)).toMatchObject({
    kind: "running",
    kill: { cause: "cancelled" },
  });
});

test("a decision after the exit changes nothing, nor does a second exit or start", () => {
  const collecting = after(started, exited);
  for (const late of [kill("cancelled", 6), { type: "exited", atMs: 9 } as const, started]) {
    expect(moved(collecting, late)).toBe(collecting);
  }
});

test("a run that never started is collected, too", () => {
  expect(after(exited)).toMatchObject({ kind: "collecting", startedAtMs: null });
});
