import type { EffectiveLimit, LimitSpec } from "../../protocol/limits.ts";
import { isNetPatternCovered, parseNetPattern } from "../../protocol/net-permission.ts";
import { fail, ok, type Result } from "../../protocol/result.ts";
import type { AppliedLimit } from "../../protocol/run-result.ts";
import type { ConfiguredLimit } from "../config.ts";

/** Names the tenant's own settings as what set a limit. */
export const TENANT_OVERRIDE = "tenant override";

/** Values of a lane's limits by name. */
type Values<V> = { readonly [name in keyof V]: number | null };

/** Of each limit, something that has its value. */
type Configured<V extends Values<V>> = { readonly [name in keyof V]: ConfiguredLimit<V[name]> };
type Effective<V extends Values<V>> = { readonly [name in keyof V]: EffectiveLimit<V[name]> };
type Applied<V extends Values<V>> = {
  readonly [name in keyof V]: AppliedLimit & { readonly value: V[name] };
};

/** What a tenant has instead of a lane's variables. */
type LimitOverrides<V> = { readonly [name in keyof V]?: LimitOverride | undefined };
interface LimitOverride {
  readonly default?: number | undefined;
  readonly maximum?: number | undefined;
}

type Specs<V> = readonly LimitSpec<keyof V & string>[];

/** Default and maximum of each of a lane's limits, the tenant's before the variable's. */
export function effectiveLimits<V extends Values<V>>(
  specs: Specs<V>,
  configured: Configured<V>,
  overrides: LimitOverrides<V> | undefined,
): Effective<V> {
  const entries = specs.map((spec) => {
    const { name } = spec;
    return [name, effectiveLimit(spec, configured[name], overrides?.[name])] as const;
  });
  return Object.fromEntries(entries) as Effective<V>;
}

function effectiveLimit(
  { unit, floor }: LimitSpec,
  configured: ConfiguredLimit<number | null>,
  override: LimitOverride | undefined,
): EffectiveLimit {
  const own = override?.default;
  const most = override?.maximum;
  // A tenant given a higher default may ask for it by name, too.
  const raised = own !== undefined && isAbove(own, configured.maximum);
  const maximum = most ?? (raised ? own : configured.maximum);
  const maximumSetBy = most === undefined && !raised ? configured.maximumSetBy : TENANT_OVERRIDE;
  const value = own ?? configured.default;
  const setBy = own === undefined ? configured.setBy : TENANT_OVERRIDE;
  return isAbove(value, maximum)
    ? { default: maximum, maximum, floor, unit, setBy: maximumSetBy, maximumSetBy }
    : { default: value, maximum, floor, unit, setBy, maximumSetBy };
}

/** Whether one is more than the other, null being more than any number. */
function isAbove(value: number | null, other: number | null): boolean {
  return other !== null && (value === null || value > other);
}

/** A run's own limits and what set each; the first that is out of range refuses the request. */
export function resolveLimits<V extends Values<V>>(
  specs: Specs<V>,
  effective: Effective<V>,
  asked: { readonly [name in keyof V]?: number | undefined },
): Result<Applied<V>> {
  const applied: Partial<Record<keyof V, AppliedLimit>> = {};
  for (const { name } of specs) {
    const limit: EffectiveLimit = effective[name];
    const value = asked[name];
    if (value === undefined) {
      applied[name] = { value: limit.default, setBy: limit.setBy };
      continue;
    }
    const named = { code: "limit_out_of_range", limit: `limits.${name}`, asked: value } as const;
    const { maximum, maximumSetBy } = limit;
    if (maximum !== null && value > maximum) {
      return fail({ ...named, bound: "maximum", allowed: maximum, setBy: maximumSetBy });
    }
    if (value < limit.floor) {
      return fail({ ...named, bound: "minimum", allowed: limit.floor, setBy: "Bulkhead" });
    }
    applied[name] = { value, setBy: "request" };
  }
  return ok(applied as Applied<V>);
}

/** The hosts of a run; each must lie within those that the tenant may reach. */
export function resolveNet(
  allowed: readonly string[] | undefined,
  asked: readonly string[],
): Result<readonly string[]> {
  if (allowed === undefined) return ok(asked);
  const outside = hostOutside(allowed, asked);
  if (outside === undefined) return ok(asked);
  const reason = `permissions.net "${outside}" is outside the hosts this tenant may reach`;
  return fail({ code: "forbidden", reason });
}

/** The first of `asked` that reaches more than `allowed` does together. */
export function hostOutside(
  allowed: readonly string[],
  asked: readonly string[],
): string | undefined {
  const patterns = allowed.flatMap((text) => parseNetPattern(text) ?? []);
  return asked.find((text) => {
    const pattern = parseNetPattern(text);
    return pattern === undefined || !isNetPatternCovered(patterns, pattern);
  });
}
