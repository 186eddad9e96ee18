import { z } from "zod";

import { parseSecretList } from "../protocol/api-key.ts";
import type { NamedSecret } from "../protocol/api-key.ts";

/** A result may be told, and is at most a mebibyte of text and escapes. */
const BODY_MAX_BYTES = 16 * 1024 * 1024;

export interface EgressConfig {
  readonly host: string;
  readonly port: number;
  /** The first signs, all verify. */
  readonly secrets: readonly NamedSecret[];
  readonly bodyMaxBytes: number;
  /** Longest time that a receiver may take. */
  readonly deliverTimeoutMs: number;
  /** `host` or `host:port` that may be private: for development and tests. */
  readonly allowPrivateHosts: readonly string[];
}

const whole = (min: number, max: number) => z.coerce.number().int().min(min).max(max);

const Settings = z.object({
  HOST: z.string().min(1).default("127.0.0.1"),
  /** 0 takes a free one. */
  PORT: whole(0, 65_535).default(8790),
  EXECUTOR_SECRET: z.string({ error: "must be set" }).transform((text, context) => {
    try {
      return parseSecretList("EXECUTOR_SECRET", text);
    } catch (error) {
      context.addIssue({ code: "custom", message: String(error) });
      return z.NEVER;
    }
  }),
  WEBHOOK_TIMEOUT_MS: whole(100, 120_000).default(10_000),
  EGRESS_ALLOW_PRIVATE_HOSTS: z
    .string()
    .default("")
    .transform((text) => text.split(",").filter((part) => part !== "")),
});

/**
 * Reads the service's environment. An empty variable is one that is not set.
 *
 * @throws {TypeError} Naming every variable that cannot be read and why, never its value.
 */
export function readConfig(env: Readonly<Record<string, string | undefined>>): EgressConfig {
  const set = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ""));
  const parsed = Settings.safeParse(set);
  if (!parsed.success) {
    const problems = parsed.error.issues.map(
      ({ path, message }) => `${path.join(".")}: ${message}`,
    );
    throw new TypeError(`Cannot read configuration: ${problems.join("; ")}`);
  }
  const v = parsed.data;
  return {
    host: v.HOST,
    port: v.PORT,
    secrets: v.EXECUTOR_SECRET,
    bodyMaxBytes: BODY_MAX_BYTES,
    deliverTimeoutMs: v.WEBHOOK_TIMEOUT_MS,
    allowPrivateHosts: v.EGRESS_ALLOW_PRIVATE_HOSTS,
  };
}
