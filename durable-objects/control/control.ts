import { DurableObject } from "cloudflare:workers";

import { QUEUED_LANES } from "../job-contract.ts";
import { type Change, ControlRows, type TenantPage } from "./control-rows.ts";

/** The one Control object's name. */
export const CONTROL_NAME = "control";

/**
 * The registry of tenants and the log of what operators changed. One for all tenants, never on the
 * way of a run, and without any tenant's data.
 */
export class Control extends DurableObject<Env> {
  readonly #rows: ControlRows;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#rows = new ControlRows(ctx.storage);
  }

  /**
   * Notes a change before it is made, and with a tenant's first key the tenant. Nothing that works
   * is ever missing here; what failed afterwards may be noted.
   */
  note(change: Change): void {
    const at = new Date().toISOString();
    if (change.action === "key.create") this.#rows.register(change.tenant, at);
    this.#rows.log(change, at);
  }

  /**
   * Sets going whatever stands still: alarms give up after six failures, and objects cannot be
   * listed, so the lanes are asked, and they ask the tenants that may have work. How many were asked.
   */
  async sweep(): Promise<number> {
    const asked = await Promise.all(
      QUEUED_LANES.map((lane) => this.env.LANE.getByName(lane).sweep()),
    );
    return asked.reduce((sum, tenants) => sum + tenants, 0);
  }

  /** Tenants in the order of their ids, after `cursor`. */
  tenants(cursor: string, limit: number): TenantPage {
    return this.#rows.tenants(cursor, limit);
  }

  /** The latest changes, newest first. */
  changes(limit: number): ReturnType<ControlRows["changes"]> {
    return this.#rows.changes(limit);
  }
}
