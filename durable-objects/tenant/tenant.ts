import { DurableObject } from "cloudflare:workers";

import { type Config, configOf, type RatePolicy } from "../../gateway/config.ts";
import type { AdmissionAnswer, AdmissionRequest, Settlement } from "../../protocol/admission.ts";
import type { Failure } from "../../protocol/failure.ts";
import { fail, ok, type Result } from "../../protocol/result.ts";
import type {
  KeyInfo,
  Rate,
  Scope,
  TenantOverrides,
  TenantPolicy,
  Usage,
} from "../../protocol/tenant.ts";
import { decideAdmission, type Standing } from "./admission.ts";
import { Leases } from "./concurrency.ts";
import { keyFailure } from "./key-state.ts";
import { dayOf } from "./quota.ts";
import { returnRate, UNUSED_TAT } from "./rate-limit.ts";
import { RecentIds } from "./recent-ids.ts";
import { TenantRows, USAGE_DAYS_KEPT } from "./tenant-rows.ts";
import { UsageLedger } from "./usage-ledger.ts";

/** Use is written this long after it is counted: well before an idle object leaves memory. */
const FLUSH_AFTER_MS = 5_000;

/** A tenant's keys are all held in memory and listed in one answer. */
export const KEYS_MAX = 1_000;

/** A settlement that is repeated within so many others counts once. */
const SETTLED_REMEMBERED = 4_096;

const DAY_MS = 24 * 60 * 60 * 1000;

/** A tenant as its owner and its operator see it. */
export interface TenantOverview {
  readonly policy: TenantPolicy;
  readonly usage: readonly Usage[];
  readonly underWay: number;
  readonly reports: Extract<AdmissionAnswer, { kind: "refused" }>["reports"];
}

/** A key in memory, with its own rate limit's state. */
interface HeldKey {
  readonly info: KeyInfo;
  tat: number;
}

/**
 * Who a tenant is and what it may use now. One per tenant, addressed by its id.
 *
 * Rate limits and leases live in memory; keys, revocations and overrides are written before they
 * are answered; use is counted in memory and written in batches, so no run costs a row.
 */
export class Tenant extends DurableObject<Env> {
  readonly #config: Config;
  readonly #rows: TenantRows;
  readonly #keys: Map<string, HeldKey>;
  readonly #usage: UsageLedger;
  readonly #leases = new Leases();
  readonly #settled = new RecentIds(SETTLED_REMEMBERED);
  #policy: TenantPolicy;
  #tat = UNUSED_TAT;
  #flushIsDue = false;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#config = configOf(env);
    this.#rows = new TenantRows(ctx.storage);
    this.#keys = new Map(
      this.#rows.keys().map((info) => [info.keyId, { info, tat: UNUSED_TAT }] as const),
    );
    this.#policy = this.#rows.policy();
    this.#usage = new UsageLedger(this.#rows.usageSince(dayOf(Date.now())));
  }

  /**
   * Lets one request in, or says why not. Safe to repeat: a run that holds its place is let in
   * again and charged no more.
   */
  admit(request: AdmissionRequest): AdmissionAnswer {
    const now = Date.now();
    this.settle(request.settlements);
    const refusal = this.#keyFailure(request.keyId, request.scope, now);
    if (refusal !== undefined) return { kind: "refused", failure: refusal, reports: [] };
    if (request.policyVersion !== this.#policy.version) {
      return { kind: "policy_changed", policy: this.#policy };
    }

    const { runId, lane, mode } = request;
    const isRepeat = this.#leases.has(runId);
    const key = request.keyId === null ? undefined : this.#keys.get(request.keyId);
    const cost = this.#config.laneWeights[lane];
    const verdict = decideAdmission(this.#standing(key, now), cost, now, isRepeat ? "look" : mode);
    if (isRepeat) return { kind: "admitted", reports: verdict.reports };
    this.#tat = verdict.tenantTat;
    if (key !== undefined && verdict.keyTat !== undefined) key.tat = verdict.keyTat;
    if (verdict.failure !== undefined) {
      return { kind: "refused", failure: verdict.failure, reports: verdict.reports };
    }
    if (mode === "take") {
      this.#leases.hold(runId, now + request.leaseMs);
      this.#count(lane, { runs: 1, cpuMs: 0, wallMs: 0 }, now);
    }
    return { kind: "admitted", reports: verdict.reports };
  }

  /** Ends runs: frees their places and counts what they used. Safe to repeat. */
  settle(settlements: readonly Settlement[]): void {
    const now = Date.now();
    for (const settlement of settlements) {
      const { runId, lane, cpuMs, wallMs, refunded } = settlement;
      if (!this.#settled.add(runId)) continue;
      const held = this.#leases.release(runId);
      if (!refunded) this.#count(lane, { runs: 0, cpuMs, wallMs }, now);
      else if (held) this.#refund(settlement, now);
    }
  }

  /** Whether a caller may do what `scope` names, and the tenant's overrides if so. */
  authorize(keyId: string | null, scope: Scope): Result<TenantPolicy> {
    const refusal = this.#keyFailure(keyId, scope, Date.now());
    return refusal === undefined ? ok(this.#policy) : fail(refusal);
  }

  /** The tenant as it stands, with its use since `day` (as `2026-11-22`). */
  overview(keyId: string | null, day: string): TenantOverview {
    const now = Date.now();
    this.#flush(now);
    const key = keyId === null ? undefined : this.#keys.get(keyId);
    const { reports } = decideAdmission(this.#standing(key, now), 0, now, "look");
    return {
      policy: this.#policy,
      usage: this.#rows.usageSince(day),
      underWay: this.#leases.held(now),
      reports,
    };
  }

  /** Makes a key known. The tenant exists from its first key on. */
  addKey(info: KeyInfo): Result<null> {
    const held = this.#keys.get(info.keyId);
    if (held !== undefined) return ok(null);
    if (this.#keys.size >= KEYS_MAX) {
      const revoked = [...this.#keys.values()].find((key) => key.info.revokedAt !== null);
      if (revoked === undefined) {
        return fail({ code: "forbidden", reason: `the tenant has ${KEYS_MAX} keys already` });
      }
      // A key that is not known is refused as surely as one that is revoked.
      this.#rows.deleteKey(revoked.info.keyId);
      this.#keys.delete(revoked.info.keyId);
    }
    this.#rows.insertKey(info);
    this.#keys.set(info.keyId, { info, tat: UNUSED_TAT });
    return ok(null);
  }

  /** Ends a key for good. Revoking it again changes nothing. */
  revokeKey(keyId: string, revokedAt: string): Result<KeyInfo> {
    const key = this.#keys.get(keyId);
    if (key === undefined) return fail({ code: "not_found", what: `key "${keyId}"` });
    if (key.info.revokedAt !== null) return ok(key.info);
    const info = { ...key.info, revokedAt };
    this.#rows.revokeKey(keyId, revokedAt);
    this.#keys.set(keyId, { info, tat: key.tat });
    return ok(info);
  }

  keys(): readonly KeyInfo[] {
    return [...this.#keys.values()].map(({ info }) => info);
  }

  policy(): TenantPolicy {
    return this.#policy;
  }

  /** Replaces the overrides; none is written as such, so that the version goes on growing. */
  setOverrides(overrides: TenantOverrides): TenantPolicy {
    const policy = { version: this.#policy.version + 1, overrides };
    this.#rows.savePolicy(policy);
    this.#policy = policy;
    return policy;
  }

  /** Writes the use counted since the last time. Safe to repeat: totals are written, not sums. */
  override alarm(): void {
    this.#flushIsDue = false;
    this.#flush(Date.now());
  }

  #keyFailure(keyId: string | null, scope: Scope, now: number): Failure | undefined {
    if (this.#keys.size === 0) {
      return { code: "unauthenticated", reason: "the tenant is not registered" };
    }
    return keyId === null ? undefined : keyFailure(this.#keys.get(keyId)?.info, scope, now);
  }

  #standing(key: HeldKey | undefined, now: number): Standing {
    const { overrides } = this.#policy;
    const rate = key?.info.rate ?? null;
    const { runsPerDay, cpuMsPerDay } = this.#config.quota;
    const own = overrides.quota;
    return {
      key: key === undefined || rate === null ? undefined : { tat: key.tat, policy: rate },
      tenant: { tat: this.#tat, policy: this.#ratePolicy() },
      held: this.#leases.held(now),
      maxConcurrent: overrides.maxConcurrent ?? this.#config.tenantMaxConcurrent,
      used: this.#usage.usedOn(dayOf(now)),
      quota: {
        runsPerDay: overridden(own?.runsPerDay, runsPerDay),
        cpuMsPerDay: overridden(own?.cpuMsPerDay, cpuMsPerDay),
      },
    };
  }

  #ratePolicy(): RatePolicy | Rate {
    return this.#policy.overrides.rateLimit ?? this.#config.rateLimit;
  }

  #refund({ lane, keyId }: Settlement, now: number): void {
    const cost = this.#config.laneWeights[lane];
    this.#count(lane, { runs: -1, cpuMs: 0, wallMs: 0 }, now);
    this.#tat = returnRate(this.#tat, this.#ratePolicy(), cost);
    const key = keyId === null ? undefined : this.#keys.get(keyId);
    const rate = key?.info.rate ?? null;
    if (key !== undefined && rate !== null) key.tat = returnRate(key.tat, rate, cost);
  }

  #count(lane: Settlement["lane"], change: Parameters<UsageLedger["add"]>[2], now: number): void {
    this.#usage.add(dayOf(now), lane, change);
    if (this.#flushIsDue) return;
    this.#flushIsDue = true;
    // Nobody waits for the alarm's own row: if it is lost, so is the use that it was for.
    const set = this.ctx.storage.setAlarm(now + FLUSH_AFTER_MS, { allowUnconfirmed: true });
    this.ctx.waitUntil(set);
  }

  #flush(now: number): void {
    const totals = this.#usage.unwritten();
    if (totals.length === 0) return;
    this.#rows.saveUsage(totals, dayOf(now - USAGE_DAYS_KEPT * DAY_MS));
    this.#usage.markWritten(totals, dayOf(now));
  }
}

/** Null is unlimited, undefined is the variable's. */
const overridden = (
  own: number | null | undefined,
  configured: number | undefined,
): number | undefined => (own === undefined ? configured : (own ?? undefined));
