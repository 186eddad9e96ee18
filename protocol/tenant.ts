import { z } from "zod";

import { KEY_ID } from "./api-key.ts";
import { NET_PERMISSIONS_MAX, NetPermission } from "./net-permission.ts";
import { Isolation } from "./sandbox-api.ts";

/** What a key may do: `run` starts work, `read` sees limits, usage and runtimes. */
export const Scope = z.enum(["run", "read"]);
export type Scope = z.infer<typeof Scope>;

const ALL_SCOPES: readonly Scope[] = Scope.options;

/** A rate of its own: `requests` in each `windowS` seconds, `burst` of them at once. */
export const Rate = z.strictObject({
  requests: z.number().int().min(1).max(1_000_000),
  windowS: z.number().int().min(1).max(86_400),
  burst: z.number().int().min(1).max(1_000_000),
});
export type Rate = z.infer<typeof Rate>;

/** Body of `POST /admin/tenants/{id}/keys`. */
export const KeyRequest = z.strictObject({
  name: z.string().max(100).default(""),
  scopes: z
    .array(Scope)
    .min(1)
    .default([...ALL_SCOPES]),
  /** ISO 8601; null is never. */
  expiresAt: z.iso.datetime({ offset: true }).nullable().default(null),
  /** The key's part of the tenant's rate; null is all of it. */
  rate: Rate.nullable().default(null),
});
export type KeyRequest = z.infer<typeof KeyRequest>;

/** What is known of a key. Its mac is kept nowhere. */
export const KeyInfo = z.strictObject({
  keyId: z.string().regex(KEY_ID),
  name: z.string(),
  scopes: z.array(Scope),
  createdAt: z.string(),
  expiresAt: z.string().nullable(),
  revokedAt: z.string().nullable(),
  rate: Rate.nullable(),
});
export type KeyInfo = z.infer<typeof KeyInfo>;

/** Answer of `POST /admin/tenants/{id}/keys`; the only time that the key is shown. */
export const MintedKey = z.strictObject({
  tenant: z.string(),
  keyId: z.string(),
  key: z.string(),
  name: z.string(),
  scopes: z.array(Scope),
  expiresAt: z.string().nullable(),
});
export type MintedKey = z.infer<typeof MintedKey>;

const limitOverride = (floor: number, ceiling: number) =>
  overrideOf(z.number().int().min(floor).max(ceiling));

const overrideOf = (value: z.ZodNumber) =>
  z
    .strictObject({ default: value.optional(), maximum: value.optional() })
    .refine(
      ({ default: value, maximum }) =>
        value === undefined || maximum === undefined || value <= maximum,
      { error: "default must be at most maximum" },
    )
    .optional();

/**
 * What a tenant has instead of the variables' values; what is left out stays the variable's.
 *
 * Body of `PUT /admin/tenants/{id}`, which replaces all of them.
 */
export const TenantOverrides = z.strictObject({
  rateLimit: Rate.optional(),
  /** 0 is unlimited. */
  maxConcurrent: z.number().int().min(0).max(100_000).optional(),
  /** Its share of a lane beside other tenants', whose weight is 1 unless set. */
  weight: z.number().int().min(1).max(1_000).optional(),
  quota: z
    .strictObject({
      /** null is unlimited. */
      runsPerDay: z.number().int().min(0).nullable().optional(),
      cpuMsPerDay: z.number().int().min(0).nullable().optional(),
    })
    .optional(),
  isolate: z
    .strictObject({
      limits: z
        .strictObject({
          wallMs: limitOverride(10, 3_600_000),
          cpuMs: limitOverride(1, 3_600_000),
          memoryMb: limitOverride(16, 65_536),
          outputBytes: limitOverride(1, 32 * 1024 * 1024),
        })
        .optional(),
      /** Isolations that a request may ask for; the first is the default unless `tenant` is among them. */
      modes: z.array(Isolation).min(1).optional(),
    })
    .optional(),
  container: z
    .strictObject({
      limits: z
        .strictObject({
          wallMs: limitOverride(10, 604_800_000),
          cpuMs: limitOverride(1, 1e12),
          memoryMb: limitOverride(16, 1_048_576),
          outputBytes: limitOverride(1, 1024 * 1024 * 1024),
          cpus: overrideOf(z.number().min(0.01).max(1024)),
          pids: limitOverride(8, 4_194_304),
          diskMb: limitOverride(1, 1_048_576),
        })
        .optional(),
    })
    .optional(),
  /** The most that `permissions.net` may name; empty is no network, left out is anything public. */
  net: z.array(NetPermission).max(NET_PERMISSIONS_MAX).optional(),
});
export type TenantOverrides = z.infer<typeof TenantOverrides>;

/** A tenant's overrides and their version, which grows with each change; 0 where there never were any. */
export interface TenantPolicy {
  readonly version: number;
  readonly overrides: TenantOverrides;
}

export const NO_OVERRIDES: TenantPolicy = { version: 0, overrides: {} };

/** Metered use of one UTC day on one lane. */
export const Usage = z.strictObject({
  day: z.string(),
  lane: z.string(),
  runs: z.number(),
  cpuMs: z.number(),
  wallMs: z.number(),
});
export type Usage = z.infer<typeof Usage>;
