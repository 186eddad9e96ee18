import { describe, expect, it } from "vitest";

import { TakenRuns } from "../../../../sandbox-worker/service/http/taken-runs.ts";

describe("TakenRuns", () => {
  it("takes an id once for its run's time and a minute", () => {
    const taken = new TakenRuns();

    expect(taken.take("a", 5_000, 0)).toBe(true);
    expect(taken.take("a", 5_000, 64_999)).toBe(false);
    expect(taken.take("a", 5_000, 65_000)).toBe(true);
  });

  it("takes an id again whose run did not begin", () => {
    const taken = new TakenRuns();
    taken.take("a", 5_000, 0);

    taken.release("a");

    expect(taken.take("a", 5_000, 1)).toBe(true);
  });

  it("forgets the oldest first where there are too many", () => {
    const taken = new TakenRuns(2);
    for (const id of ["a", "b", "c"]) taken.take(id, 5_000, 0);

    expect(taken.take("c", 5_000, 1)).toBe(false);
    expect(taken.take("a", 5_000, 1)).toBe(true);
  });
});

describe("TakenRuns.stop()", () => {
  it("resolves once the run has ended", async () => {
    const taken = new TakenRuns();
    let stops = 0;
    taken.take("a", 5_000, 0);
    taken.runs("a", () => stops++);

    const stopped = taken.stop("a");
    taken.ended("a");

    expect(await stopped).toBe(true);
    expect(stops).toBe(1);
    expect(await taken.stop("a")).toBe(true);
    expect(stops).toBe(1);
  });

  it("knows nothing of an id that never came", async () => {
    expect(await new TakenRuns().stop("a")).toBe(false);
  });

  it("keeps a run that goes on, whatever its age", () => {
    const taken = new TakenRuns();
    taken.take("a", 5_000, 0);
    taken.runs("a", () => {});

    expect(taken.take("a", 5_000, 1_000_000)).toBe(false);
  });
});
