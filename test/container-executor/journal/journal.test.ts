import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, expect, test } from "vitest";

import { Journal, REMEMBERED_MS } from "../../../container-executor/journal/journal.ts";
import type { RunSpec } from "../../../container-executor/journal/journal.ts";
import { lostResult } from "../../../container-executor/runs/collect.ts";
import { newRunId, order } from "../../support/container-service.ts";

let folder: string;
let journal: Journal;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bulkhead-journal-"));
  journal = new Journal(folder);
});
afterEach(() => {
  journal.close();
  rmSync(folder, { recursive: true });
});

const reopened = (): void => {
  journal.close();
  journal = new Journal(folder);
};

const spec = (runId: string): RunSpec => ({
  runId,
  tenant: "acme",
  runtime: "bash",
  artifacts: ["*"],
  caps: order().caps,
  wantsValue: false,
  net: [],
});

const container = { id: "c1", syncKey: new Uint8Array([1, 2, 3]), spare: true };

test("a run is read back as far as it got", () => {
  const runId = newRunId();
  expect(journal.phaseOf(runId)).toBeUndefined();
  journal.take(spec(runId), null, 10, "boot");
  expect(journal.phaseOf(runId)).toBe("taken");
  journal.sent(runId, container);
  journal.started(runId, 20);
  journal.fed(runId);
  journal.renewed(runId, 30);
  reopened();
  expect(journal.open()).toEqual([
    {
      spec: spec(runId),
      phase: "fed",
      container,
      takenAtMs: 10,
      startedAtMs: 20,
      renewedAtMs: 30,
      hostBoot: "boot",
      result: null,
    },
  ]);
});

test("a run taken with its container counts as sent", () => {
  const runId = newRunId();
  journal.take(spec(runId), container, 10, "boot");
  expect(journal.phaseOf(runId)).toBe("sent");
});

test("what ended is not fed any more, and keeps its result", () => {
  const runId = newRunId();
  const result = lostResult(runId, "why", true);
  journal.take(spec(runId), container, 10, "boot");
  journal.ended(runId, result);
  journal.fed(runId);
  reopened();
  expect(journal.open()).toMatchObject([{ phase: "ended", result }]);
});

test("an acknowledged run is no longer open, its id known for days, then forgotten", () => {
  const runId = newRunId();
  journal.take(spec(runId), container, 10, "boot");
  journal.acked(runId, 1000);
  reopened();
  expect(journal.open()).toEqual([]);
  journal.forget(1000 + REMEMBERED_MS);
  expect(journal.phaseOf(runId)).toBe("acked");
  journal.forget(1001 + REMEMBERED_MS);
  expect(journal.phaseOf(runId)).toBeUndefined();
});

test("the same id is taken once", () => {
  const runId = newRunId();
  journal.take(spec(runId), null, 10, "boot");
  expect(() => {
    journal.take(spec(runId), null, 11, "boot");
  }).toThrow("UNIQUE");
});

test("a second executor on the same folder does not start", () => {
  expect(() => new Journal(folder)).toThrow("locked");
});
