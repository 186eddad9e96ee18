import type { LaneOffer, LaneView, OfferAnswer, QueuedLane } from "../job-contract.ts";

/** What a tenant wants of a lane. */
export type Wanted = Pick<LaneOffer, "backlog" | "weight" | "waits">;

/**
 * A lane that knows of so many jobs has enough to grant; more are told with the answer to its
 * grants, so a thousand submissions in a row cost no thousand calls.
 */
export const BACKLOG_ENOUGH = 64;

/** Whether a lane that was told `told` would grant otherwise if it knew `wanted`. */
export function isWorthTelling(told: Wanted | undefined, wanted: Wanted): boolean {
  if (told === undefined) return wanted.backlog > 0 || wanted.waits;
  if (wanted.weight !== told.weight && wanted.backlog > 0) return true;
  if (wanted.waits && !told.waits) return true;
  return wanted.backlog !== told.backlog && Math.min(told.backlog, wanted.backlog) < BACKLOG_ENOUGH;
}

/** What each lane was told last, and what it told in return. In memory: told again after a restart. */
export class LaneOffers {
  readonly #tenant: string;
  readonly #told = new Map<QueuedLane, Wanted>();
  readonly #views = new Map<QueuedLane, LaneView>();
  #version = 0;

  constructor(tenant: string) {
    this.#tenant = tenant;
  }

  isDue(lane: QueuedLane, wanted: Wanted): boolean {
    return isWorthTelling(this.#told.get(lane), wanted);
  }

  /**
   * An offer above all before it. Versions follow the clock, so that those of an object which was
   * out of memory are above its earlier ones without a row; where the clock went back, the lane's
   * answer says so.
   */
  make(lane: QueuedLane, wanted: Wanted, now: number): LaneOffer {
    this.#version = Math.max(this.#version + 1, now);
    this.#told.set(lane, wanted);
    return { tenant: this.#tenant, version: this.#version, ...wanted };
  }

  /** Notes a lane's answer to an offer. */
  answered(lane: QueuedLane, { version, view }: OfferAnswer): void {
    this.#views.set(lane, view);
    // Made by nobody in this life of the object: what counts there is older than the offer.
    if (version > this.#version) this.#told.delete(lane);
    this.#version = Math.max(this.#version, version);
  }

  /** The lane may not know what it was told last. */
  forget(lane: QueuedLane): void {
    this.#told.delete(lane);
  }

  see(lane: QueuedLane, view: LaneView): void {
    this.#views.set(lane, view);
  }

  view(lane: QueuedLane): LaneView | undefined {
    return this.#views.get(lane);
  }
}
