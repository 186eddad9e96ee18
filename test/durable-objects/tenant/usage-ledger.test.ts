import { expect, it } from "vitest";

import { RecentIds } from "../../../durable-objects/tenant/recent-ids.ts";
import { UsageLedger } from "../../../durable-objects/tenant/usage-ledger.ts";

const run = { runs: 1, cpuMs: 2, wallMs: 3 };

it("adds up by day and lane, and knows what is not written", () => {
  const ledger = new UsageLedger([{ day: "2026-11-22", lane: "isolate", ...run }]);
  expect(ledger.unwritten()).toEqual([]);

  ledger.add("2026-11-22", "isolate", run);
  ledger.add("2026-11-22", "container", run);

  expect(ledger.usedOn("2026-11-22")).toEqual({ runs: 3, cpuMs: 6 });
  expect(ledger.unwritten()).toEqual([
    { day: "2026-11-22", lane: "isolate", runs: 2, cpuMs: 4, wallMs: 6 },
    { day: "2026-11-22", lane: "container", ...run },
  ]);
});

it("keeps what was added while a write was under way", () => {
  const ledger = new UsageLedger([]);
  ledger.add("2026-11-22", "isolate", run);
  const written = ledger.unwritten();
  ledger.add("2026-11-22", "isolate", run);
  ledger.markWritten(written, "2026-11-22");
  expect(ledger.unwritten()).toMatchObject([{ runs: 2 }]);
});

it("forgets days that are over and written", () => {
  const ledger = new UsageLedger([]);
  ledger.add("2026-11-21", "isolate", run);
  ledger.markWritten(ledger.unwritten(), "2026-11-22");
  expect(ledger.usedOn("2026-11-21")).toEqual({ runs: 0, cpuMs: 0 });
});

it("takes a run back, never below none", () => {
  const ledger = new UsageLedger([]);
  const back = { runs: -1, cpuMs: 0, wallMs: 0 };
  ledger.add("2026-11-22", "isolate", back);
  expect(ledger.usedOn("2026-11-22").runs).toBe(0);
});

it("recent ids are new once, and forgotten after at least as many others as promised", () => {
  const ids = new RecentIds(3);
  expect(["a", "b", "c", "a", "d", "b"].map((id) => ids.add(id))).toEqual([
    true,
    true,
    true,
    false,
    true,
    false,
  ]);
  for (const id of ["e", "f", "g", "h"]) ids.add(id);
  expect(ids.add("a")).toBe(true);
});
