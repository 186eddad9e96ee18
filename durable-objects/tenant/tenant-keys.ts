import type { Failure } from "../../protocol/failure.ts";
import { fail, ok, type Result } from "../../protocol/result.ts";
import type { KeyInfo, Scope } from "../../protocol/tenant.ts";
import { keyFailure } from "./key-state.ts";
import { UNUSED_TAT } from "./rate-limit.ts";
import type { TenantRows } from "./tenant-rows.ts";

/** A tenant's keys are all held in memory and listed in one answer. */
export const KEYS_MAX = 1_000;

/** A key in memory, with its own rate limit's state. */
export interface HeldKey {
  readonly info: KeyInfo;
  tat: number;
}

/** A tenant's keys, in memory beside their rows. */
export class TenantKeys {
  readonly #rows: TenantRows;
  readonly #keys: Map<string, HeldKey>;

  constructor(rows: TenantRows) {
    this.#rows = rows;
    this.#keys = new Map(
      rows.keys().map((info) => [info.keyId, { info, tat: UNUSED_TAT }] as const),
    );
  }

  /** Undefined for a caller without a key, and for a key that is not known. */
  get(keyId: string | null): HeldKey | undefined {
    return keyId === null ? undefined : this.#keys.get(keyId);
  }

  list(): readonly KeyInfo[] {
    return [...this.#keys.values()].map(({ info }) => info);
  }

  /** Why a caller may not do what `scope` names. A tenant exists from its first key on. */
  failure(keyId: string | null, scope: Scope, now: number): Failure | undefined {
    if (this.#keys.size === 0) {
      return { code: "unauthenticated", reason: "the tenant is not registered" };
    }
    return keyId === null ? undefined : keyFailure(this.#keys.get(keyId)?.info, scope, now);
  }

  add(info: KeyInfo): Result<null> {
    if (this.#keys.has(info.keyId)) return ok(null);
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
  revoke(keyId: string, revokedAt: string): Result<KeyInfo> {
    const key = this.#keys.get(keyId);
    if (key === undefined) return fail({ code: "not_found", what: `key "${keyId}"` });
    if (key.info.revokedAt !== null) return ok(key.info);
    const info = { ...key.info, revokedAt };
    this.#rows.revokeKey(keyId, revokedAt);
    this.#keys.set(keyId, { info, tat: key.tat });
    return ok(info);
  }
}
