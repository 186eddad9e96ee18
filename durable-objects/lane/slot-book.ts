import type { ExecutorAddress, LaneSettlement, LaneView } from "../job-contract.ts";
import { chooseExecutor, type ExecutorSlots } from "./executor-slots.ts";
import { FairShare, type Turn } from "./fair-share.ts";
import type { GrantRow, LaneRows } from "./lane-rows.ts";

/** A slot that is given away, and what is known of its run. */
export interface HeldGrant extends GrantRow {
  readonly turn: Turn;
  /** The job that took it; undefined until its tenant has said so in this life of the object. */
  readonly jobId: string | undefined;
  readonly renewedAt: number;
}

export interface ExecutorView {
  readonly name: string;
  readonly running: number;
  readonly avoidedUntil: number | null;
}

/**
 * Which slots are given to whom, in memory beside their rows. A slot is given by a row that is
 * committed first, and free again only once that row is gone.
 */
export class SlotBook {
  readonly #rows: LaneRows;
  readonly #executors: readonly ExecutorAddress[];
  readonly #slotsOf: (executor: string) => number;
  readonly #fair = new FairShare();
  readonly #grants = new Map<number, HeldGrant>();
  /** Epochs of grants that their tenants have not answered, by tenant. */
  readonly #unanswered = new Map<string, Set<number>>();
  readonly #running = new Map<string, number>();
  readonly #avoided = new Map<string, number>();

  constructor(
    rows: LaneRows,
    executors: readonly ExecutorAddress[],
    slotsOf: (executor: string) => number,
    now: number,
  ) {
    this.#rows = rows;
    this.#executors = executors;
    this.#slotsOf = slotsOf;
    // Whether their runs go on is asked; until then they count, each with a whole lease before it.
    for (const row of rows.grants()) {
      this.#hold({ ...row, turn: this.#fair.resume(row.tenant), jobId: undefined, renewedAt: now });
    }
  }

  get taken(): number {
    return this.#grants.size;
  }

  get backlog(): number {
    return this.#fair.backlog;
  }

  view(): LaneView {
    const slots = this.#executors.reduce((sum, { name }) => sum + this.#slotsOf(name), 0);
    return {
      slotsTaken: this.#grants.size,
      slots: slots === Infinity ? null : slots,
      tenants: this.#fair.tenants,
      usualMs: this.#fair.usualMs ?? null,
    };
  }

  executors(now: number): readonly ExecutorView[] {
    return this.#executors.map(({ name }) => {
      const until = this.#avoided.get(name) ?? 0;
      const running = this.#running.get(name) ?? 0;
      return { name, running, avoidedUntil: until > now ? until : null };
    });
  }

  /** Tenants that have not answered all their grants. */
  unanswering(): readonly string[] {
    return [...this.#unanswered.keys()];
  }

  unansweredBy(tenant: string): readonly HeldGrant[] {
    const epochs = this.#unanswered.get(tenant) ?? [];
    return [...epochs].flatMap((epoch) => this.#grants.get(epoch) ?? []);
  }

  /** Grants of which nothing was heard since `before`. */
  silent(before: number): readonly HeldGrant[] {
    return [...this.#grants.values()].filter(
      ({ jobId, renewedAt }) => jobId !== undefined && renewedAt <= before,
    );
  }

  holds(tenant: string): boolean {
    for (const grant of this.#grants.values()) if (grant.tenant === tenant) return true;
    return false;
  }

  get(epoch: number): HeldGrant | undefined {
    return this.#grants.get(epoch);
  }

  offer(tenant: string, backlog: number, weight: number): void {
    // Grants on their way to the tenant are in what it counted.
    const onTheWay = this.#unanswered.get(tenant)?.size ?? 0;
    this.#fair.offer(tenant, Math.max(0, backlog - onTheWay), weight);
  }

  /** Gives every free slot to whose turn it is, in one commit. */
  grant(now: number): void {
    const granted: HeldGrant[] = [];
    for (;;) {
      const executor = chooseExecutor(this.#executorSlots(), now);
      const turn = executor && this.#fair.next();
      if (executor === undefined || turn === undefined) break;
      const { address } = executor;
      const row = { epoch: this.#rows.nextEpoch(), tenant: turn.tenant, executor: address };
      const grant = { ...row, grantedAt: now, turn, jobId: undefined, renewedAt: now };
      this.#hold(grant);
      granted.push(grant);
    }
    if (granted.length > 0) this.#rows.insertGrants(granted);
  }

  /** A tenant's job has the grant. */
  take(epoch: number, jobId: string, now: number): void {
    const grant = this.#grants.get(epoch);
    if (grant === undefined) return;
    this.#grants.set(epoch, { ...grant, jobId, renewedAt: now });
    this.#answered(grant);
  }

  /** A tenant has no job for these grants, or their runs are over. */
  giveBack(epochs: readonly number[]): void {
    const held = epochs.filter((epoch) => this.#grants.has(epoch));
    this.#rows.deleteGrants(held);
    for (const epoch of held) {
      const grant = this.#release(epoch);
      if (grant !== undefined) this.#fair.giveBack(grant.turn);
    }
  }

  /** A run has ended. One that holds no slot changes nothing. */
  settle({ epoch, costMs, avoidExecutorMs }: LaneSettlement, now: number): void {
    if (!this.#grants.has(epoch)) return;
    this.#rows.deleteGrants([epoch]);
    const grant = this.#release(epoch);
    if (grant === undefined) return;
    if (avoidExecutorMs !== null) this.#avoided.set(grant.executor.name, now + avoidExecutorMs);
    if (costMs > 0) this.#fair.settle(grant.turn, costMs);
    else this.#fair.giveBack(grant.turn);
  }

  renew(epochs: readonly number[], now: number): void {
    for (const epoch of epochs) {
      const grant = this.#grants.get(epoch);
      if (grant !== undefined) this.#grants.set(epoch, { ...grant, renewedAt: now });
    }
  }

  /** The tenant is to be asked again whether the grant's run goes on. */
  doubt(epoch: number): void {
    const grant = this.#grants.get(epoch);
    if (grant === undefined) return;
    this.#grants.set(epoch, { ...grant, jobId: undefined });
    this.#asked(grant);
  }

  /** When an executor that takes no work now will be asked again; Infinity where none is. */
  nextTry(now: number): number {
    let next = Infinity;
    for (const until of this.#avoided.values()) if (until > now) next = Math.min(next, until);
    return next;
  }

  #executorSlots(): readonly ExecutorSlots[] {
    return this.#executors.map((address) => ({
      address,
      running: this.#running.get(address.name) ?? 0,
      slots: this.#slotsOf(address.name),
      avoidedUntil: this.#avoided.get(address.name) ?? 0,
    }));
  }

  #hold(grant: HeldGrant): void {
    this.#grants.set(grant.epoch, grant);
    this.#asked(grant);
    this.#running.set(grant.executor.name, (this.#running.get(grant.executor.name) ?? 0) + 1);
  }

  #release(epoch: number): HeldGrant | undefined {
    const grant = this.#grants.get(epoch);
    if (grant === undefined) return undefined;
    this.#grants.delete(epoch);
    this.#answered(grant);
    this.#running.set(grant.executor.name, (this.#running.get(grant.executor.name) ?? 1) - 1);
    return grant;
  }

  #asked({ tenant, epoch }: HeldGrant): void {
    const epochs = this.#unanswered.get(tenant);
    if (epochs === undefined) this.#unanswered.set(tenant, new Set([epoch]));
    else epochs.add(epoch);
  }

  #answered({ tenant, epoch }: HeldGrant): void {
    const epochs = this.#unanswered.get(tenant);
    epochs?.delete(epoch);
    if (epochs?.size === 0) this.#unanswered.delete(tenant);
  }
}
