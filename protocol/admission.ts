import type { Failure } from "./failure.ts";
import type { Lane } from "./outcome.ts";
import type { Scope, TenantPolicy } from "./tenant.ts";

/** How a run that was admitted ended, as far as limits and metering care. */
export interface Settlement {
  readonly runId: string;
  readonly keyId: string | null;
  readonly lane: Lane;
  readonly cpuMs: number;
  readonly wallMs: number;
  /** The platform refused the run after its admission: it costs its tenant nothing. */
  readonly refunded: boolean;
}

/** Asks a Tenant object to let one request in. */
export interface AdmissionRequest {
  /** Null for a caller with a token instead of a key. */
  readonly keyId: string | null;
  readonly scope: Scope;
  readonly lane: Lane;
  readonly runId: string;
  /** How long the run holds its place if nobody settles it, in milliseconds. */
  readonly leaseMs: number;
  /** The version of the overrides that the request was planned with. */
  readonly policyVersion: number;
  /** `look`: decide as for a run, take nothing. */
  readonly mode: "take" | "look";
  /** Runs that ended since the last call; applied first, whatever the answer. */
  readonly settlements: readonly Settlement[];
}

/** One limit as it stands, for `RateLimit` and `RateLimit-Policy`. */
export interface LimitReport {
  readonly name: string;
  readonly quota: number;
  readonly windowS: number | null;
  readonly burst: number | null;
  readonly unit: "requests" | "concurrent-requests" | "cpu-milliseconds";
  readonly remaining: number;
  /** Seconds until there is more; null where that is not known. */
  readonly moreInS: number | null;
}

/** A Tenant object's answer. Nothing was taken unless `admitted`. */
export type AdmissionAnswer =
  | { readonly kind: "admitted"; readonly reports: readonly LimitReport[] }
  | {
      readonly kind: "refused";
      readonly failure: Failure;
      readonly reports: readonly LimitReport[];
    }
  /** The overrides changed since the request was planned; plan and ask again. */
  | { readonly kind: "policy_changed"; readonly policy: TenantPolicy };
