/** What a job is taken to cost where nobody's has ended yet. */
const FIRST_GUESS_MS = 1_000;

/** How much one job's cost moves its tenant's usual one. */
const SMOOTHING = 0.2;

/** What the last of a round gets at least, so that each can start something in it. */
const LEAST_CREDIT_MS = 1;

interface Share {
  weight: number;
  /** Jobs that could start, without those that were chosen. */
  backlog: number;
  /** Slot time it may still start in this round; below zero where its jobs cost more than that. */
  creditMs: number;
  /** The round that gave the credit. */
  round: number;
  usualMs: number | undefined;
  /** Turns that are not settled yet, and what they were charged. */
  underWay: number;
  chargedMs: number;
}

/** A tenant's turn, and what it was charged for it. */
export interface Turn {
  readonly tenant: string;
  readonly chargedMs: number;
}

/**
 * Whose turn it is for a slot: deficit round robin between tenants that have work, by slot time.
 *
 * A turn starts one job. It is charged with what the tenant's jobs usually cost, and corrected when
 * the job ends. Within a round the next turn is whose credit, by weight, is the largest, so turns
 * of several tenants alternate as their weights and costs say. Who has used its credit sits out
 * until nobody who has work has any; then a round begins that gives each as much, by weight, as
 * lets even the deepest in debt start something. So in the long run slot time follows the weights,
 * nobody with work is passed over for longer than a round, and who comes with a single job waits
 * for one turn at most of each other. Pure: no clock, no storage; forgotten with its object, which
 * costs one round of fairness.
 */
export class FairShare {
  readonly #shares = new Map<string, Share>();
  /** Tenants with work and credit, the next first. */
  readonly #ready = new Set<string>();
  /** Tenants with work that have used their credit. */
  readonly #spent = new Set<string>();
  #round = 0;
  #creditMs = LEAST_CREDIT_MS;
  #usualMs: number | undefined;

  /** Tenants that have work. */
  get tenants(): number {
    return this.#ready.size + this.#spent.size;
  }

  /** Jobs that could start, of all tenants. */
  get backlog(): number {
    let sum = 0;
    for (const tenant of [...this.#ready, ...this.#spent]) {
      sum += this.#shares.get(tenant)?.backlog ?? 0;
    }
    return sum;
  }

  /** What a job of any tenant costs lately; undefined where none has ended. */
  get usualMs(): number | undefined {
    return this.#usualMs;
  }

  /** Sets how much a tenant has to start. */
  offer(tenant: string, backlog: number, weight: number): void {
    const share = this.#shareOf(tenant);
    share.weight = weight;
    share.backlog = backlog;
    const isBack = backlog > 0 && !this.#ready.has(tenant) && !this.#spent.has(tenant);
    if (isBack) {
      // Credit is for those who have work: whoever comes back brings none along, and beyond its
      // round no debt, but stands where the others stand now.
      const level = this.#level() * weight;
      share.creditMs = share.round === this.#round ? Math.min(share.creditMs, level) : level;
      share.round = this.#round;
    }
    this.#place(tenant, share);
  }

  /** Gives the next slot to whose turn it is; undefined where nobody has work. */
  next(): Turn | undefined {
    if (this.#ready.size === 0) this.#beginRound();
    const tenant = this.#furthestBehind();
    const share = tenant === undefined ? undefined : this.#shares.get(tenant);
    if (tenant === undefined || share === undefined) return undefined;
    const chargedMs = share.usualMs ?? this.#usualMs ?? FIRST_GUESS_MS;
    share.backlog--;
    share.underWay++;
    share.chargedMs += chargedMs;
    share.creditMs -= chargedMs;
    // Behind all others that stand where it stands.
    this.#ready.delete(tenant);
    this.#place(tenant, share);
    return { tenant, chargedMs };
  }

  /** A turn's job has ended, after `costMs` of its slot. */
  settle(turn: Turn, costMs: number): void {
    this.#usualMs = smoothed(this.#usualMs, costMs);
    const share = this.#shares.get(turn.tenant);
    if (share === undefined) return;
    share.usualMs = smoothed(share.usualMs, costMs);
    this.#correct(turn, share, costMs);
  }

  /** A turn started nothing. */
  giveBack(turn: Turn): void {
    const share = this.#shares.get(turn.tenant);
    if (share !== undefined) this.#correct(turn, share, 0);
  }

  /** Takes up a turn that was given before this object came to memory. */
  resume(tenant: string): Turn {
    this.#shareOf(tenant).underWay++;
    return { tenant, chargedMs: 0 };
  }

  /** Who has the most credit left for its weight: the first among equals. */
  #furthestBehind(): string | undefined {
    let best: string | undefined;
    let most = -Infinity;
    for (const tenant of this.#ready) {
      const share = this.#shares.get(tenant);
      if (share === undefined || share.creditMs / share.weight <= most) continue;
      best = tenant;
      most = share.creditMs / share.weight;
    }
    return best;
  }

  /**
   * The most credit that anyone with work has left, for a weight of one. What turns under way were
   * charged counts as left: when they cost less it comes back, and nobody is to stand behind it.
   */
  #level(): number {
    let most = -Infinity;
    for (const tenant of [...this.#ready, ...this.#spent]) {
      const share = this.#shares.get(tenant);
      if (share === undefined) continue;
      most = Math.max(most, (share.creditMs + share.chargedMs) / share.weight);
    }
    return most === -Infinity ? this.#creditMs : most;
  }

  #correct({ tenant, chargedMs }: Turn, share: Share, costMs: number): void {
    share.underWay--;
    share.chargedMs -= chargedMs;
    share.creditMs += chargedMs - costMs;
    this.#place(tenant, share);
  }

  #beginRound(): void {
    const spent = [...this.#spent];
    let most = 0;
    for (const tenant of spent) {
      const share = this.#shares.get(tenant);
      if (share !== undefined) most = Math.max(most, -share.creditMs / share.weight);
    }
    this.#round++;
    this.#creditMs = most + LEAST_CREDIT_MS;
    this.#spent.clear();
    for (const tenant of spent) {
      const share = this.#shareOf(tenant);
      share.creditMs += this.#creditMs * share.weight;
      share.round = this.#round;
      this.#place(tenant, share);
    }
    for (const [tenant, share] of this.#shares) {
      if (share.backlog <= 0 && share.underWay === 0) this.#shares.delete(tenant);
    }
  }

  /** Keeps a tenant's place in its row where it is in the right one. */
  #place(tenant: string, { backlog, creditMs }: Share): void {
    const [right, wrong] = creditMs > 0 ? [this.#ready, this.#spent] : [this.#spent, this.#ready];
    wrong.delete(tenant);
    if (backlog > 0) right.add(tenant);
    else right.delete(tenant);
  }

  #shareOf(tenant: string): Share {
    const known = this.#shares.get(tenant);
    if (known !== undefined) return known;
    const share: Share = {
      weight: 1,
      backlog: 0,
      creditMs: this.#creditMs,
      round: -1,
      usualMs: undefined,
      underWay: 0,
      chargedMs: 0,
    };
    this.#shares.set(tenant, share);
    return share;
  }
}

const smoothed = (usual: number | undefined, cost: number): number =>
  usual === undefined ? cost : usual + (cost - usual) * SMOOTHING;
