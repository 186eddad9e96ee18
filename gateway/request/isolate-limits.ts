import { type EffectiveLimit, ISOLATE_LIMITS, type LimitName } from "../../protocol/limits.ts";
import { isNetPatternCovered, parseNetPattern } from "../../protocol/net-permission.ts";
import { fail, ok, type Result } from "../../protocol/result.ts";
import type { AppliedLimit } from "../../protocol/run-result.ts";
import type { Isolation } from "../../protocol/sandbox-api.ts";
import type { TenantOverrides } from "../../protocol/tenant.ts";
import type { Config } from "../config.ts";

/** Names the tenant's own settings as what set a limit. */
export const TENANT_OVERRIDE = "tenant override";

type IsolateConfig = Config["isolate"];
type Limits<T> = Readonly<Record<LimitName, T>>;

/** Default and maximum of each limit, the tenant's before the variable's. */
export function effectiveLimits(
  config: IsolateConfig,
  overrides: TenantOverrides,
): Limits<EffectiveLimit> {
  const entries = ISOLATE_LIMITS.map(({ name, unit, floor }) => {
    const configured = config.limits[name];
    const override = overrides.isolate?.limits?.[name];
    const own = override?.default;
    // A tenant given a higher default may ask for it by name, too.
    const maximum = override?.maximum ?? Math.max(configured.maximum, own ?? 0);
    const maximumSetBy =
      maximum === configured.maximum && override?.maximum === undefined
        ? configured.maximumSetBy
        : TENANT_OVERRIDE;
    const value = own ?? configured.default;
    const setBy = own === undefined ? configured.setBy : TENANT_OVERRIDE;
    const effective: EffectiveLimit =
      value <= maximum
        ? { default: value, maximum, floor, unit, setBy, maximumSetBy }
        : { default: maximum, maximum, floor, unit, setBy: maximumSetBy, maximumSetBy };
    return [name, effective] as const;
  });
  return Object.fromEntries(entries) as Limits<EffectiveLimit>;
}

/** A run's own limits and what set each; the first that is out of range refuses the request. */
export function resolveLimits(
  effective: Limits<EffectiveLimit>,
  asked: { readonly [name in LimitName]?: number | undefined },
): Result<Limits<AppliedLimit>> {
  const applied: Partial<Record<LimitName, AppliedLimit>> = {};
  for (const { name } of ISOLATE_LIMITS) {
    const limit = effective[name];
    const value = asked[name];
    if (value === undefined) {
      applied[name] = { value: limit.default, setBy: limit.setBy };
      continue;
    }
    const named = { code: "limit_out_of_range", limit: `limits.${name}`, asked: value } as const;
    if (value > limit.maximum) {
      const { maximum: allowed, maximumSetBy: setBy } = limit;
      return fail({ ...named, bound: "maximum", allowed, setBy });
    }
    if (value < limit.floor) {
      return fail({ ...named, bound: "minimum", allowed: limit.floor, setBy: "Bulkhead" });
    }
    applied[name] = { value, setBy: "request" };
  }
  return ok(applied as Limits<AppliedLimit>);
}

/** The isolations that a tenant may ask for. */
export function allowedModes(
  config: IsolateConfig,
  overrides: TenantOverrides,
): readonly Isolation[] {
  return overrides.isolate?.modes ?? config.modes;
}

/** The isolation of a run; without a wish `tenant`, or the first allowed where that is not. */
export function resolveIsolation(
  allowed: readonly Isolation[],
  asked: Isolation | undefined,
): Result<Isolation> {
  if (asked === undefined) {
    return ok(allowed.includes("tenant") ? "tenant" : (allowed[0] ?? "run"));
  }
  if (allowed.includes(asked)) return ok(asked);
  const reason = `isolation "${asked}" is not among this tenant's: ${allowed.join(", ")}`;
  return fail({ code: "forbidden", reason });
}

/** The hosts of a run; each must lie within those that the tenant may reach. */
export function resolveNet(
  allowed: readonly string[] | undefined,
  asked: readonly string[],
): Result<readonly string[]> {
  if (allowed === undefined) return ok(asked);
  const patterns = allowed.flatMap((text) => parseNetPattern(text) ?? []);
  const outside = asked.find((text) => {
    const pattern = parseNetPattern(text);
    return pattern === undefined || !isNetPatternCovered(patterns, pattern);
  });
  if (outside === undefined) return ok(asked);
  const reason = `permissions.net "${outside}" is outside the hosts this tenant may reach`;
  return fail({ code: "forbidden", reason });
}
