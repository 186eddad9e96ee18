import { fail, ok, type Result } from "../../protocol/result.ts";
import type { Isolation } from "../../protocol/sandbox-api.ts";
import type { TenantOverrides } from "../../protocol/tenant.ts";
import type { Config } from "../config.ts";

/** The isolations that a tenant may ask for. */
export function allowedModes(
  config: Config["isolate"],
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
