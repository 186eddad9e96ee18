import { serializeList } from "structured-headers";

import type { LimitReport } from "../../protocol/admission.ts";

type Parameters = Map<string, number | string>;

/**
 * `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers), as structured fields.
 *
 * What refused a request comes first, then the tightest. `burst` is how many of `q` may come at
 * once. `t` is the seconds until there is more.
 */
export function rateHeaders(
  reports: readonly LimitReport[],
): { readonly [name in "RateLimit" | "RateLimit-Policy"]: string } | undefined {
  if (reports.length === 0) return undefined;
  const policies = reports.map(({ name, quota, windowS, burst, unit }) => {
    const parameters: Parameters = new Map<string, number | string>([["q", quota]]);
    if (windowS !== null) parameters.set("w", windowS);
    if (unit !== "requests") parameters.set("qu", unit);
    if (burst !== null) parameters.set("burst", burst);
    return [name, parameters] as [string, Parameters];
  });
  const standings = reports.map(({ name, remaining, moreInS }) => {
    const parameters: Parameters = new Map([["r", remaining]]);
    if (moreInS !== null) parameters.set("t", moreInS);
    return [name, parameters] as [string, Parameters];
  });
  return { "RateLimit-Policy": serializeList(policies), RateLimit: serializeList(standings) };
}
