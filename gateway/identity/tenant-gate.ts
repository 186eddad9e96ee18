import type { TenantOverview } from "../../durable-objects/tenant/tenant.ts";
import type { AdmissionAnswer, AdmissionRequest, Settlement } from "../../protocol/admission.ts";
import type { Failure } from "../../protocol/failure.ts";
import { fail, ok, type Result } from "../../protocol/result.ts";
import { NO_OVERRIDES, type Scope, type TenantPolicy } from "../../protocol/tenant.ts";
import { type Called, callObject } from "../objects/call-object.ts";
import { ExpiringMap } from "./expiring-map.ts";

/** How long "this key may" is believed without asking again. */
const VALID_MS = 1_000;

/** How long an end of a run waits for an admission to travel with. */
const SETTLE_AFTER_MS = 25;

/** When to come back while a Tenant object cannot be asked. */
const RETRY_AFTER_MS = 1_000;

/** What one gateway isolate remembers, at most: tenants, keys, and ends of runs of each tenant. */
const TENANTS_REMEMBERED = 1_000;
const KEYS_REMEMBERED = 10_000;
const SETTLEMENTS_KEPT = 10_000;

/** Who asks: a tenant, by a key of its own or by a token. */
export interface Principal {
  readonly tenant: string;
  /** Null for a token. */
  readonly keyId: string | null;
  /** A token's own scopes; null for a key, whose scopes its tenant knows. */
  readonly scopes: readonly Scope[] | null;
}

/** An admission's answer as the gateway has it. `unchecked`: let in, as nobody could be asked. */
export type GateAnswer = AdmissionAnswer | { readonly kind: "unchecked" };

type GateRequest = Omit<AdmissionRequest, "policyVersion" | "settlements" | "keyId">;
type TenantStub = ReturnType<Env["TENANT"]["getByName"]>;

const UNAVAILABLE: Failure = { code: "policy_unavailable", retryAfterMs: RETRY_AFTER_MS };

/** Asks Tenant objects, each in one call; what can be told later travels with the next question. */
export class TenantGate {
  readonly #namespace: Env["TENANT"];
  readonly #failOpen: boolean;
  readonly #policies = new ExpiringMap<TenantPolicy>(TENANTS_REMEMBERED);
  readonly #valid = new ExpiringMap<true>(KEYS_REMEMBERED);
  readonly #pending = new Map<string, Settlement[]>();
  /** Tenants for whom a flush is due: one at a time, however many runs end. */
  readonly #flushing = new Set<string>();

  constructor(namespace: Env["TENANT"], options: { readonly failOpen: boolean }) {
    this.#namespace = namespace;
    this.#failOpen = options.failOpen;
  }

  /** The tenant's overrides as last heard; an admission says when they have changed. */
  policy(tenant: string): TenantPolicy {
    return this.#policies.get(tenant, 0) ?? NO_OVERRIDES;
  }

  /** Asks for admission of a request that was planned with `policy`. */
  async admit(
    { tenant, keyId }: Principal,
    policy: TenantPolicy,
    request: GateRequest,
  ): Promise<Result<GateAnswer>> {
    const settlements = this.#takePending(tenant);
    const full = { ...request, keyId, policyVersion: policy.version, settlements };
    const called = await this.#call<AdmissionAnswer>(tenant, (stub) => stub.admit(full));
    if (called.kind === "answered") {
      if (called.value.kind === "policy_changed") {
        this.learn(tenant, called.value.policy);
      }
      return ok(called.value);
    }
    this.#putPending(tenant, settlements);
    if (called.kind === "overloaded" || !this.#failOpen) return fail(UNAVAILABLE);
    console.warn({ event: "policy_fail_open", tenant });
    return ok({ kind: "unchecked" });
  }

  /** The tenant's overrides are these now. */
  learn(tenant: string, policy: TenantPolicy): void {
    this.#policies.set(tenant, policy, Infinity);
  }

  /** Tells of a run's end, with the tenant's next admission or else shortly, by itself. */
  settle(
    tenant: string,
    settlement: Settlement,
    context: Pick<ExecutionContext, "waitUntil">,
  ): void {
    this.#putPending(tenant, [settlement]);
    if (this.#flushing.has(tenant)) return;
    this.#flushing.add(tenant);
    context.waitUntil(this.#flushSoon(tenant));
  }

  /** Whether a caller may do what `scope` names, believed for a second. */
  async authorize(principal: Principal, scope: Scope): Promise<Result<null>> {
    const { tenant, keyId } = principal;
    const now = Date.now();
    const cacheKey = `${tenant} ${keyId ?? ""} ${scope}`;
    if (this.#valid.get(cacheKey, now) === true) return ok(null);
    const called = await this.#call<Result<null>>(tenant, (stub) => stub.authorize(keyId, scope));
    if (called.kind !== "answered") return fail(UNAVAILABLE);
    if (called.value.ok) this.#valid.set(cacheKey, true, now + VALID_MS);
    return called.value;
  }

  /** Takes in a ticket; fails where it was used before. */
  async useTicket(tenant: string, ticketId: string): Promise<Result<null>> {
    const called = await this.#call<boolean>(tenant, (stub) => stub.useTicket(ticketId));
    if (called.kind !== "answered") return fail(UNAVAILABLE);
    if (called.value) return ok(null);
    return fail({ code: "unauthenticated", reason: "the ticket was used before" });
  }

  /** The tenant as it stands, with its use since `day`. */
  async overview(
    tenant: string,
    keyId: string | null,
    day: string,
  ): Promise<Result<TenantOverview>> {
    const settlements = this.#takePending(tenant);
    const called = await this.#call<TenantOverview>(tenant, async (stub) => {
      if (settlements.length > 0) await stub.settle(settlements);
      return stub.overview(keyId, day);
    });
    if (called.kind === "answered") return ok(called.value);
    this.#putPending(tenant, settlements);
    return fail(UNAVAILABLE);
  }

  async #flushSoon(tenant: string): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, SETTLE_AFTER_MS));
    this.#flushing.delete(tenant);
    const settlements = this.#takePending(tenant);
    if (settlements.length === 0) return;
    const called = await this.#call(tenant, (stub) => stub.settle(settlements));
    if (called.kind !== "answered") this.#putPending(tenant, settlements);
  }

  #takePending(tenant: string): readonly Settlement[] {
    const settlements = this.#pending.get(tenant);
    if (settlements === undefined) return [];
    this.#pending.delete(tenant);
    return settlements;
  }

  /** Beyond the most that is kept, the oldest are dropped: their leases end by themselves. */
  #putPending(tenant: string, settlements: readonly Settlement[]): void {
    if (settlements.length === 0) return;
    const kept = [...(this.#pending.get(tenant) ?? []), ...settlements];
    this.#pending.set(tenant, kept.slice(-SETTLEMENTS_KEPT));
  }

  /** Everything asked here is safe to repeat. */
  #call<T>(tenant: string, ask: (stub: TenantStub) => Promise<unknown>): Promise<Called<T>> {
    return callObject(`tenant ${tenant}`, () => this.#namespace.getByName(tenant), ask);
  }
}
