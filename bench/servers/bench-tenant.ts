import type { TenantOverrides } from "../../protocol/tenant.ts";
import { mintKey } from "../../scripts/stack/mint.ts";

/** So high that a bench on one machine never meets them; the limits are checked and counted all the same. */
const OVERRIDES: TenantOverrides = {
  rateLimit: { requests: 1_000_000, windowS: 1, burst: 1_000_000 },
  maxConcurrent: 0,
};

const TIMEOUT_MS = 10_000;

/**
 * A key of a tenant whose limits do not bite.
 *
 * @throws {Error} Where the gateway refuses, with what it said.
 */
export async function mintBenchKey(
  gateway: string,
  adminToken: string,
  tenant = "bench",
): Promise<string> {
  const { key } = await mintKey(gateway, adminToken, tenant, { name: "bench" });
  const answer = await fetch(new URL(`/admin/tenants/${tenant}`, gateway), {
    method: "PUT",
    headers: { authorization: `Bearer ${adminToken}`, "content-type": "application/json" },
    body: JSON.stringify(OVERRIDES),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (answer.ok) return key;
  throw new Error(
    `Cannot raise the limits of "${tenant}": ${answer.status} ${(await answer.text()).slice(0, 300)}`,
  );
}
