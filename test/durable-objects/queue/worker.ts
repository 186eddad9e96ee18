import { DurableObject } from "cloudflare:workers";

import type {
  CancelAnswer,
  JobCalls,
  JobStart,
  LaneOffer,
  LaneSettlement,
  OfferAnswer,
  QueueEnd,
  QueuedLane,
  RunSettlement,
  SettleAnswer,
  TakeReply,
  TakeRequest,
} from "../../../durable-objects/job-contract.ts";
import { Lane as RealLane } from "../../../durable-objects/lane/lane.ts";
import { Tenant as RealTenant } from "../../../durable-objects/tenant/tenant.ts";
import { faults, jobLog } from "./faults.ts";

export { Control } from "../../../durable-objects/control/control.ts";

/** The real objects, whose answers can be lost. */
export class Tenant extends RealTenant {
  override take(request: TakeRequest): TakeReply {
    return faults.pass("Tenant.take", super.take(request));
  }

  override offer(lane: QueuedLane): LaneOffer {
    return faults.pass("Tenant.offer", super.offer(lane));
  }

  override settleJob(settlement: RunSettlement): SettleAnswer {
    return faults.pass("Tenant.settleJob", super.settleJob(settlement));
  }
}

export class Lane extends RealLane {
  override offer(offer: LaneOffer): OfferAnswer {
    return faults.pass("Lane.offer", super.offer(offer));
  }

  override settle(settlement: LaneSettlement): void {
    super.settle(settlement);
    faults.pass("Lane.settle", undefined);
  }
}

/** Takes the place of the Job objects, to see what they are told: runs end when a test says so. */
export class Job extends DurableObject<Env> implements JobCalls {
  start(start: JobStart): void {
    jobLog.held.set(this.#name, start.grant.epoch);
    this.#note("start", start);
  }

  cancel(reason: string): CancelAnswer {
    this.#note("cancel", reason);
    return { kind: "under_way" };
  }

  endInQueue(end: QueueEnd): void {
    this.#note("endInQueue", end);
  }

  purge(): void {
    this.#note("purge", undefined);
  }

  wake(epoch: number): boolean {
    this.#note("wake", epoch);
    return jobLog.held.get(this.#name) === epoch;
  }

  get #name(): string {
    return this.ctx.id.name ?? "";
  }

  #note(method: string, argument: unknown): void {
    jobLog.calls.push({ job: this.#name, method, argument });
    faults.pass(`Job.${method}`, undefined);
  }
}
