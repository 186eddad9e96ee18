import { DurableObject } from "cloudflare:workers";

import { type Config, configOf } from "../../gateway/config.ts";
import { Deliveries } from "../deliveries.ts";
import {
  type ExecutorAddress,
  jobObjectName,
  type LaneOffer,
  type LaneOfJobs,
  type LaneSettlement,
  type LaneState,
  type OfferAnswer,
  type QueuedLane,
  type TakeReply,
} from "../job-contract.ts";
import { slotsOf } from "./executor-slots.ts";
import { LaneRows } from "./lane-rows.ts";
import { Readiness } from "./readiness.ts";
import { type HeldGrant, SlotBook } from "./slot-book.ts";

/** While slots are taken, the alarm looks this often, whatever else is due. */
const LOOK_MS = 10_000;

/** A tenant that has wanted nothing for so long is asked whether it is done, and so again. */
const IDLE_MS = 60_000;

/** Tenants that are asked at once. */
const ASKED_AT_ONCE = 20;

/** Grants in one call to a tenant. */
const GRANTS_PER_CALL = 100;

/**
 * The slots of one lane, given to tenants in fair turns. One for each lane, addressed by its name.
 *
 * A slot is given by a row before its tenant hears of it, and is free again only when the run's
 * end is told or proven, so no more run at once than there are slots, through any restart. What
 * tenants want is kept in memory: who comes back to memory asks those that may have work.
 */
export class Lane extends DurableObject<Env> implements LaneOfJobs {
  readonly #config: Config;
  readonly #lane: QueuedLane;
  readonly #rows: LaneRows;
  readonly #slots: SlotBook;
  readonly #readiness: Readiness;
  readonly #calls = new Deliveries();
  /** Tenants that may have work, with what they said last and since when; undefined: not heard yet. */
  readonly #tenants = new Map<string, { offer: LaneOffer; at: number } | undefined>();
  /** Those of them that have not been heard in this life of the object. */
  readonly #unheard: Set<string>;
  /** As set in this life of the object. */
  #alarmAt = Infinity;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#config = configOf(env);
    this.#lane = laneNamed(ctx.id.name);
    this.#rows = new LaneRows(ctx.storage);
    const executors = executorsOf(this.#config, this.#lane);
    this.#readiness = new Readiness(this.#lane === "container" ? executors : []);
    const slotsOfExecutor = (name: string): number => this.#slotsOf(name);
    this.#slots = new SlotBook(this.#rows, executors, slotsOfExecutor, Date.now());
    this.#unheard = new Set(this.#rows.tenants());
    for (const tenant of this.#unheard) this.#tenants.set(tenant, undefined);
    this.#wake(Date.now());
  }

  /** A tenant says how much it wants. Of repeated and late offers, the highest version counts. */
  offer(offer: LaneOffer): OfferAnswer {
    const now = Date.now();
    this.#heard(offer, now);
    this.#wake(now);
    const version = this.#tenants.get(offer.tenant)?.offer.version ?? offer.version;
    return { version, view: this.#slots.view() };
  }

  /** Runs go on. */
  renew(epochs: readonly number[]): void {
    this.#slots.renew(epochs, Date.now());
  }

  /** A run has ended, and its slot is free. Safe to repeat. */
  settle(settlement: LaneSettlement): void {
    const now = Date.now();
    this.#slots.settle(settlement, now);
    this.#wake(now);
  }

  state(): LaneState {
    const now = Date.now();
    const { slotsTaken, slots, usualMs } = this.#slots.view();
    const executors = this.#slots.executors(now);
    const heard = executors.flatMap(({ name }) => this.#readiness.of(name) ?? []);
    const isHeard = heard.length > 0;
    return {
      slotsTaken,
      slots,
      backlog: this.#slots.backlog,
      usualMs,
      executors,
      recommendedConcurrency: isHeard
        ? heard.reduce((sum, one) => sum + one.recommendedConcurrency, 0)
        : null,
      canIncreaseConcurrency: isHeard ? heard.some((one) => one.canIncreaseConcurrency) : null,
    };
  }

  /**
   * Asks every tenant that may have work what it wants, which sets it going where its own alarm
   * was lost; how many there are.
   */
  async sweep(): Promise<number> {
    const tenants = [...this.#tenants.keys()];
    for (let from = 0; from < tenants.length; from += ASKED_AT_ONCE) {
      const some = tenants.slice(from, from + ASKED_AT_ONCE);
      await Promise.all(some.map((tenant) => this.#askTenant(tenant)));
    }
    this.#wake(Date.now());
    return tenants.length;
  }

  override alarm(): void {
    this.#alarmAt = Infinity;
    const now = Date.now();
    for (const [tenant, known] of this.#tenants) {
      if (known === undefined || known.offer.backlog > 0 || known.at + IDLE_MS > now) continue;
      if (!this.#slots.holds(tenant)) this.ctx.waitUntil(this.#askTenant(tenant));
    }
    for (const grant of this.#slots.silent(now - this.#silenceMs())) {
      this.ctx.waitUntil(this.#askJob(grant));
    }
    this.#wake(now);
  }

  /** Gives what slots are free, and tells and asks whatever is owed. */
  #wake(now: number): void {
    this.#slots.grant(now);
    for (const tenant of this.#slots.unanswering()) this.#callTake(tenant, now);
    for (const tenant of this.#unheard) {
      if (this.#calls.isReady(askKey(tenant), now)) this.ctx.waitUntil(this.#askTenant(tenant));
    }
    if (this.#isBusy() && this.#readiness.isDue(now)) {
      this.ctx.waitUntil(this.#refreshReadiness(now));
    }
    this.#arm(now);
  }

  /** Lets a tenant take its grants; all that gather while a call is under way go with the next. */
  #callTake(tenant: string, now: number): void {
    const key = takeKey(tenant);
    if (!this.#calls.isReady(key, now)) return;
    const grants = this.#slots
      .unansweredBy(tenant)
      .slice(0, GRANTS_PER_CALL)
      .map(({ epoch, executor }) => ({ epoch, executor, lane: this.#lane }));
    if (grants.length === 0) return;
    const request = { lane: this.#lane, grants, view: this.#slots.view() };
    const called = this.#calls.send(key, async (): Promise<TakeReply> => {
      return this.env.TENANT.getByName(tenant).take(request);
    });
    this.ctx.waitUntil(
      called.then((reply) => {
        if (reply === undefined) this.#arm(Date.now());
        else this.#taken(reply);
      }),
    );
  }

  #taken({ answers, offer }: TakeReply): void {
    const now = Date.now();
    const returned: number[] = [];
    for (const { epoch, taken } of answers) {
      if (taken === null) returned.push(epoch);
      else this.#slots.take(epoch, taken.jobId, now);
    }
    if (returned.length > 0) this.#slots.giveBack(returned);
    this.#heard(offer, now);
    this.#wake(now);
  }

  #heard(offer: LaneOffer, now: number): void {
    const { tenant, version, backlog, weight, waits } = offer;
    const isNew = !this.#tenants.has(tenant);
    const known = this.#tenants.get(tenant);
    if (known !== undefined && version < known.offer.version) return;
    if (isNew && backlog === 0 && !waits) return;
    if (isNew) this.#rows.addTenant(tenant);
    const since = known?.offer.backlog === 0 && backlog === 0 ? known.at : now;
    this.#tenants.set(tenant, { offer, at: since });
    this.#unheard.delete(tenant);
    this.#slots.offer(tenant, backlog, weight);
  }

  /** Asks a tenant what it wants, and forgets one that wants nothing any more. */
  async #askTenant(tenant: string): Promise<void> {
    const offer = await this.#calls.send(askKey(tenant), async (): Promise<LaneOffer> => {
      return this.env.TENANT.getByName(tenant).offer(this.#lane);
    });
    const now = Date.now();
    if (offer !== undefined) {
      const known = this.#tenants.get(tenant);
      this.#heard(offer, now);
      const isDone = offer.backlog === 0 && !offer.waits && !this.#slots.holds(tenant);
      if (isDone && (known === undefined || known.at + IDLE_MS <= now)) {
        this.#rows.deleteTenant(tenant);
        this.#tenants.delete(tenant);
      } else if (offer.waits) {
        const heard = this.#tenants.get(tenant);
        if (heard !== undefined) this.#tenants.set(tenant, { ...heard, at: now });
      }
    }
    this.#wake(now);
  }

  /**
   * Nothing was heard of a run for two leases. Its slot is free only if neither its Job nor its
   * tenant holds it: the Job may not have been told of it yet.
   */
  async #askJob({ epoch, tenant, jobId }: HeldGrant): Promise<void> {
    const key = `job ${epoch}`;
    if (jobId === undefined || !this.#calls.isReady(key, Date.now())) return;
    const holds = await this.#calls.send(key, async (): Promise<boolean> => {
      const job = this.env.JOB.getByName(jobObjectName(tenant, jobId));
      if (await job.wake(epoch)) return true;
      await this.env.TENANT.getByName(tenant).remind(jobId);
      return false;
    });
    if (holds === true) this.#slots.renew([epoch], Date.now());
    if (holds === false) this.#slots.doubt(epoch);
    this.#wake(Date.now());
  }

  async #refreshReadiness(now: number): Promise<void> {
    await this.#readiness.refresh(now);
    // There may be more slots now.
    this.#wake(Date.now());
  }

  #slotsOf(executor: string): number {
    const { slots, adaptive } = this.#config.queue;
    const configured = this.#lane === "container" ? slots.container : slots.isolate;
    const recommended = this.#readiness.of(executor)?.recommendedConcurrency;
    return slotsOf(configured, recommended, adaptive);
  }

  #isBusy(): boolean {
    return this.#tenants.size > 0 || this.#slots.taken > 0;
  }

  #silenceMs(): number {
    return 2 * this.#config.leaseMs;
  }

  /** Sees that the alarm is not later than what is due first. */
  #arm(now: number): void {
    if (!this.#isBusy()) return;
    const lookMs = this.#slots.taken > 0 ? LOOK_MS : IDLE_MS;
    let due = Math.min(now + lookMs, this.#slots.nextTry(now));
    for (const tenant of this.#slots.unanswering()) {
      due = Math.min(due, this.#calls.dueAt(takeKey(tenant), now));
    }
    for (const tenant of this.#unheard) {
      due = Math.min(due, this.#calls.dueAt(askKey(tenant), now));
    }
    if (due >= this.#alarmAt) return;
    this.#alarmAt = due;
    this.ctx.waitUntil(this.ctx.storage.setAlarm(due));
  }
}

const takeKey = (tenant: string): string => `take ${tenant}`;
const askKey = (tenant: string): string => `ask ${tenant}`;

function laneNamed(name: string | undefined): QueuedLane {
  if (name === "container" || name === "isolate") return name;
  throw new TypeError(`Cannot be the lane "${name ?? ""}": it has no queue`);
}

function executorsOf(config: Config, lane: QueuedLane): readonly ExecutorAddress[] {
  const [kind, urls] =
    lane === "container" ? ["container", config.containerUrls] : ["sandbox", config.sandboxUrls];
  return urls.map((url, index) => ({ name: `${kind}-${index + 1}`, url }));
}
