/** What the queue must know of those who wait. */
export interface Queued {
  readonly tenant: string;
  readonly queuedAtMs: number;
}

/**
 * Those who wait, first come first served within a tenant, in turns between tenants. Bounded by
 * whoever adds to it.
 */
export class FairQueue<T extends Queued> {
  readonly #byTenant = new Map<string, T[]>();
  #length = 0;

  get length(): number {
    return this.#length;
  }

  waitingOf(tenant: string): number {
    return this.#byTenant.get(tenant)?.length ?? 0;
  }

  push(item: T): void {
    const waiting = this.#byTenant.get(item.tenant);
    if (waiting === undefined) this.#byTenant.set(item.tenant, [item]);
    else waiting.push(item);
    this.#length++;
  }

  /** Puts an item back in front of its tenant's others. */
  unshift(item: T): void {
    const waiting = this.#byTenant.get(item.tenant);
    if (waiting === undefined) this.#byTenant.set(item.tenant, [item]);
    else waiting.unshift(item);
    this.#length++;
  }

  remove(item: T): boolean {
    const waiting = this.#byTenant.get(item.tenant);
    const index = waiting?.indexOf(item) ?? -1;
    if (waiting === undefined || index === -1) return false;
    waiting.splice(index, 1);
    if (waiting.length === 0) this.#byTenant.delete(item.tenant);
    this.#length--;
    return true;
  }

  /** Each tenant's first, in the order of their turns. */
  heads(): T[] {
    const heads: T[] = [];
    for (const [head] of this.#byTenant.values()) if (head !== undefined) heads.push(head);
    return heads;
  }

  /** Takes an item that was served out, and puts its tenant behind the others. */
  served(item: T): void {
    if (!this.remove(item)) return;
    const rest = this.#byTenant.get(item.tenant);
    if (rest === undefined) return;
    this.#byTenant.delete(item.tenant);
    this.#byTenant.set(item.tenant, rest);
  }

  /** Whether a tenant other than `tenant` waits. */
  othersWait(tenant: string): boolean {
    return this.#byTenant.size > (this.#byTenant.has(tenant) ? 1 : 0);
  }

  /** Everyone who has waited since before `sinceMs`. */
  expired(sinceMs: number): T[] {
    return [...this.#byTenant.values()].flat().filter(({ queuedAtMs }) => queuedAtMs <= sinceMs);
  }

  all(): T[] {
    return [...this.#byTenant.values()].flat();
  }
}
