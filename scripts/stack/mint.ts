import { z } from "zod";

const MintedKey = z.object({ tenant: z.string(), keyId: z.string(), key: z.string() });

/** A key as the gateway hands it out: this once, and never again. */
export type MintedKey = z.infer<typeof MintedKey>;

export interface KeyWishes {
  readonly name: string;
  readonly scopes?: readonly string[];
  /** ISO time. */
  readonly expiresAt?: string;
}

const ProblemDetails = z.object({ detail: z.string() });

const TIMEOUT_MS = 10_000;
const MAX_SHOWN_CHARS = 500;

/**
 * Has the gateway make an API key for a tenant.
 *
 * @throws When the gateway refuses or does not answer, with what it said.
 */
export async function mintKey(
  gateway: string,
  adminToken: string,
  tenant: string,
  wishes: KeyWishes,
): Promise<MintedKey> {
  const response = await fetch(
    new URL(`/admin/tenants/${encodeURIComponent(tenant)}/keys`, gateway),
    {
      method: "POST",
      headers: { authorization: `Bearer ${adminToken}`, "content-type": "application/json" },
      body: JSON.stringify(wishes),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    },
  );
  const answer = await response.text();
  if (response.status !== 201) {
    throw new Error(`Cannot mint a key for "${tenant}": ${whyRefused(response.status, answer)}`);
  }
  return MintedKey.parse(JSON.parse(answer));
}

/** Whether the gateway still takes a key. */
export async function isKeyValid(gateway: string, key: string): Promise<boolean> {
  const response = await fetch(new URL("/v1/limits", gateway), {
    headers: { authorization: `Bearer ${key}` },
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  await response.body?.cancel();
  return response.status !== 401 && response.status !== 403;
}

function whyRefused(status: number, answer: string): string {
  const shown = answer.slice(0, MAX_SHOWN_CHARS);
  try {
    return ProblemDetails.parse(JSON.parse(answer)).detail;
  } catch {
    return `the gateway answered ${status} ${shown}`;
  }
}
