import type { Failure } from "../../protocol/failure.ts";
import type { KeyInfo, Scope } from "../../protocol/tenant.ts";

/** Why a key may not do what `scope` names now; undefined where it may. */
export function keyFailure(
  key: KeyInfo | undefined,
  scope: Scope,
  now: number,
): Failure | undefined {
  if (key === undefined) return { code: "unauthenticated", reason: "the key is not known" };
  if (key.revokedAt !== null) return { code: "unauthenticated", reason: "the key is revoked" };
  if (key.expiresAt !== null && Date.parse(key.expiresAt) <= now) {
    return { code: "unauthenticated", reason: "the key has expired" };
  }
  return scopeFailure(key.scopes, scope);
}

/** Why scopes do not suffice; undefined where they do. */
export function scopeFailure(scopes: readonly Scope[], needed: Scope): Failure | undefined {
  if (scopes.includes(needed)) return undefined;
  return { code: "forbidden", reason: `the scope "${needed}" is needed` };
}
