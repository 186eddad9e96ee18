import type { IsolatePlan } from "./isolate-plan.ts";

const encoder = new TextEncoder();

/**
 * What a kept module instance is keyed by: SHA-256, in hex, over the tenant and all that its code
 * could tell from another run's. Null for runs that keep nothing.
 */
export async function warmAffinity(
  tenant: string,
  { isolation, caps, net, work }: IsolatePlan,
): Promise<string | null> {
  if (isolation !== "warm") return null;
  const { language, entry, modules, env } = work;
  const key = [
    tenant,
    language,
    entry,
    inNameOrder(modules),
    inNameOrder(env),
    net.toSorted(),
    inNameOrder(caps),
  ];
  const digest = await crypto.subtle.digest("SHA-256", encoder.encode(JSON.stringify(key)));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

const inNameOrder = (record: Readonly<Record<string, string | number>>) =>
  Object.entries(record).toSorted(([a], [b]) => (a < b ? -1 : 1));
