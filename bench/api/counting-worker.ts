import { Job as RealJob } from "../../durable-objects/job/job.ts";
import { Lane as RealLane } from "../../durable-objects/lane/lane.ts";
import { Tenant as RealTenant } from "../../durable-objects/tenant/tenant.ts";
import worker from "../../gateway/index.ts";

export { Control } from "../../durable-objects/control/control.ts";

/** Since they were last asked for. The runtime has all objects of a Worker in one isolate. */
let rows = { read: 0, written: 0 };

/** Counts the rows of every statement of an object. */
function counted(ctx: DurableObjectState): DurableObjectState {
  const { sql } = ctx.storage;
  const exec = sql.exec.bind(sql);
  sql.exec = <T extends Record<string, SqlStorageValue>>(
    query: string,
    ...bindings: unknown[]
  ): SqlStorageCursor<T> => {
    const cursor = exec<T>(query, ...bindings);
    // A cursor knows its rows once it is read, which is done by then, and tells none but its own object.
    queueMicrotask(() => {
      rows.read += cursor.rowsRead;
      rows.written += cursor.rowsWritten;
    });
    return cursor;
  };
  return ctx;
}

export class Tenant extends RealTenant {
  constructor(ctx: DurableObjectState, env: Env) {
    super(counted(ctx), env);
  }
}

export class Lane extends RealLane {
  constructor(ctx: DurableObjectState, env: Env) {
    super(counted(ctx), env);
  }
}

export class Job extends RealJob {
  constructor(ctx: DurableObjectState, env: Env) {
    super(counted(ctx), env);
  }
}

/** The gateway as it is, with the rows of its objects counted and told at `/bench/rows`. */
export default {
  fetch(request, env, ctx) {
    if (new URL(request.url).pathname !== "/bench/rows") return worker.fetch(request, env, ctx);
    const taken = rows;
    rows = { read: 0, written: 0 };
    return Response.json(taken);
  },
} satisfies ExportedHandler<Env>;
