import { reset, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, expect, it, vi } from "vitest";

import { clearAll, epochsOf, evict, silenceExecutors, submission, TestTenant } from "./support.ts";

beforeEach(silenceExecutors);
afterEach(async () => {
  clearAll();
  await reset();
});

interface Counts {
  written: number;
  read: number;
}

/** Counts the rows that an object's statements read and write from now on. */
const countRows = (stub: DurableObjectStub): Promise<() => Counts> =>
  runInDurableObject(stub, (_, { storage: { sql } }) => {
    const cursors: SqlStorageCursor<Record<string, SqlStorageValue>>[] = [];
    const exec = sql.exec.bind(sql);
    Object.defineProperty(sql, "exec", {
      value: (query: string, ...bindings: SqlStorageValue[]) => {
        const cursor = exec(query, ...bindings);
        cursors.push(cursor);
        return cursor;
      },
    });
    const sum = (of: "rowsRead" | "rowsWritten") =>
      cursors.reduce((total, cursor) => total + cursor[of], 0);
    return () => ({ written: sum("rowsWritten"), read: sum("rowsRead") });
  });

it("a job costs its tenant seven rows written and its lane two, however many wait", async () => {
  const tenant = await TestTenant.make({ maxConcurrent: 2 });
  const lane = env.LANE.getByName("container");
  // What the first jobs cost once: the tenant's own row with the lane, a block of epochs.
  const first = await tenant.submit(...Array.from({ length: 102 }, () => submission()));
  await vi.waitFor(() => expect(first.filter(({ id }) => epochsOf(id).length > 0)).toHaveLength(2));
  const ofTenant = await countRows(tenant.stub as unknown as DurableObjectStub);
  const ofLane = await countRows(lane as unknown as DurableObjectStub);
  const jobs = await tenant.submit(
    ...Array.from({ length: 50 }, () => submission({ priority: 9 })),
  );
  for (const { id } of first.slice(0, 2)) await tenant.end(id);
  for (const { id } of jobs) {
    await tenant.started(id);
    await tenant.job(id);
    await tenant.end(id);
  }
  // Fifty jobs of 3 + 1 + 2 and a row for their grants; some, too, of the jobs before and behind.
  expect(ofTenant().written).toBeLessThanOrEqual(54 * 7 + 20);
  expect(ofLane().written).toBeLessThanOrEqual(54 * 2);
  expect(ofTenant().read).toBeLessThanOrEqual(54 * 7 + 20);
});

it("asking for a job that waits, or for the queue, reads no row, with a thousand waiting", async () => {
  const tenant = await TestTenant.make();
  const notBefore = Date.now() + 3_600_000;
  const jobs = await tenant.submit(
    ...Array.from({ length: 1_000 }, () => submission({ notBefore })),
  );
  const rows = await countRows(tenant.stub as unknown as DurableObjectStub);
  expect(await tenant.job(jobs[999]!.id)).toMatchObject({ queue: { position: 1 } });
  await tenant.stub.queueView();
  expect(rows()).toEqual({ written: 0, read: 0 });
});

it("a tenant from before there were jobs gets their tables, and keeps what it had", async () => {
  const tenant = await TestTenant.make({ maxConcurrent: 7 });
  await runInDurableObject(tenant.stub, (_, { storage: { sql } }) => {
    for (const table of ["jobs", "idempotency", "lanes"]) sql.exec(`DROP TABLE ${table}`);
    sql.exec("DELETE FROM schema_version WHERE version > 1");
  });
  await evict(tenant.stub);
  const [job] = await tenant.submit(submission());
  await tenant.started(job!.id);
  expect(await tenant.stub.policy()).toMatchObject({ overrides: { maxConcurrent: 7 } });
  expect(await tenant.stub.keys()).toHaveLength(1);
});
