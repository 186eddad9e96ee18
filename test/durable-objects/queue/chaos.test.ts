import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, expect, it, vi } from "vitest";

import { isTerminal } from "../../../protocol/job.ts";
import { faults, jobLog } from "./faults.ts";
import { seeded } from "./random.ts";
import { clearAll, epochsOf, evict, silenceExecutors, submission, TestTenant } from "./support.ts";

beforeEach(silenceExecutors);
afterEach(async () => {
  clearAll();
  await reset();
});

const METHODS = [
  "Lane.offer",
  "Lane.settle",
  "Tenant.take",
  "Tenant.offer",
  "Tenant.settleJob",
  "Job.start",
  "Job.cancel",
  "Job.endInQueue",
] as const;

it.each([11, 222, 3_333])(
  "no job is lost, none has two live runs, and no cap is passed, whatever is lost or leaves memory (seed %i)",
  async (seed) => {
    const random = seeded(seed);
    const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!;
    const tenants = [await TestTenant.make({ maxConcurrent: 3 }), await TestTenant.make()];
    const lane = () => env.LANE.getByName("container");
    const jobs: { readonly id: string; readonly tenant: TestTenant }[] = [];
    const live = () => jobs.filter(({ id, tenant }) => jobLog.held.has(`${tenant.name}/${id}`));

    const check = () => {
      expect(live().length).toBeLessThanOrEqual(4);
      expect(live().filter(({ tenant }) => tenant === tenants[0]).length).toBeLessThanOrEqual(3);
    };
    const end = async ({ id, tenant }: (typeof jobs)[number]) => {
      const isLost = random() < 0.15;
      const outcome = isLost ? "infra_lost" : "ok";
      // As a Job does: again until both have answered.
      for (;;) {
        const isOver = await tenant.end(id, { outcome, lost: isLost }).then(
          () => true,
          () => false,
        );
        if (isOver) return;
      }
    };
    const steps = {
      submit: async () => {
        const tenant = pick(tenants);
        const submitted = await tenant.submit(
          ...Array.from({ length: 1 + Math.floor(random() * 3) }, () => submission()),
        );
        jobs.push(...submitted.map(({ id }) => ({ id, tenant })));
      },
      end: async () => {
        const running = live();
        if (running.length > 0) await end(pick(running));
      },
      drop: async () => faults.drop(pick(METHODS)),
      cancel: async () => {
        if (jobs.length === 0 || random() < 0.7) return;
        const { id, tenant } = pick(jobs);
        await tenant.stub.cancelJob(id, "it is a test");
      },
      evictLane: () => evict(lane()),
      evictTenant: () => evict(pick(tenants).stub),
    };
    const order = ["submit", "end", "end", "drop", "cancel", "evictLane", "evictTenant"] as const;
    for (let step = 0; step < 120; step++) {
      await steps[pick(order)]();
      check();
    }
    faults.clear();
    await vi.waitFor(
      async () => {
        for (const job of live()) await end(job);
        check();
        for (const { id, tenant } of jobs) {
          const { state } = await tenant.job(id);
          expect({ id, state, isOver: isTerminal(state) }).toMatchObject({ isOver: true });
        }
        expect(await lane().state()).toMatchObject({ slotsTaken: 0 });
      },
      { timeout: 50_000, interval: 50 },
    );
    for (const { id, tenant } of jobs) {
      const { runs } = await tenant.job(id);
      const settled = runs.filter(({ outcome }) => outcome !== null);
      expect(settled).toHaveLength(runs.length);
      expect(epochsOf(id)).toHaveLength(runs.length);
    }
  },
  60_000,
);
