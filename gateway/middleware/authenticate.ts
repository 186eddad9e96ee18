import { createMiddleware } from "hono/factory";

import { scopeFailure } from "../../durable-objects/tenant/key-state.ts";
import { FailureError } from "../../protocol/failure.ts";
import type { Scope } from "../../protocol/tenant.ts";
import type { AppEnv } from "../app-env.ts";
import type { Principal } from "../identity/tenant-gate.ts";

/**
 * Establishes who asks, from `Authorization: Bearer` or `x-api-key` alone, without asking anyone.
 *
 * Whether a key was revoked, and what it may do, its Tenant says: on `/v1/run` with the admission,
 * elsewhere through `authorize`.
 */
export const authenticate = createMiddleware<AppEnv>(async (c, next) => {
  c.set("principal", await principalOf(c.req.raw, c.get("services")));
  await next();
});

/** Lets in who may do what `scope` names. */
export const authorize = (scope: Scope) =>
  createMiddleware<AppEnv>(async (c, next) => {
    const principal = c.get("principal");
    requireScope(principal, scope);
    const answer = await c.get("services").gate.authorize(principal, scope);
    if (!answer.ok) throw new FailureError(answer.failure);
    await next();
  });

/** As `authorize`, where the route asks the Tenant anyway, and that checks a key's scopes with it. */
export const scoped = (scope: Scope) =>
  createMiddleware<AppEnv>(async (c, next) => {
    requireScope(c.get("principal"), scope);
    await next();
  });

/** @throws {FailureError} Where a token lacks the scope. A key's scopes its tenant checks. */
export function requireScope(principal: Principal, scope: Scope): void {
  const failure = principal.scopes === null ? undefined : scopeFailure(principal.scopes, scope);
  if (failure !== undefined) throw new FailureError(failure);
}

/** @throws {FailureError} Where a request has no credential, or none of ours. */
export async function principalOf(
  request: Request,
  { keys, tokens }: AppEnv["Variables"]["services"],
): Promise<Principal> {
  const credential = credentialOf(request);
  if (credential === undefined) {
    throw unauthenticated('it has no "Authorization: Bearer" and no "x-api-key"');
  }
  if (credential.startsWith("bh_") || tokens === undefined) {
    const key = await keys.verify(credential);
    if (key === undefined) throw unauthenticated("the key is not one of ours");
    return { ...key, scopes: null };
  }
  const verified = await tokens.verify(credential);
  if (!verified.ok) throw new FailureError(verified.failure);
  return verified.value;
}

/** A request's key or token, undefined where it has none. */
export function credentialOf(request: Request): string | undefined {
  return bearerOf(request) ?? request.headers.get("x-api-key")?.trim();
}

/** The bearer token of a request, or undefined where it has none. */
export function bearerOf(request: Request): string | undefined {
  return /^Bearer +(\S+)$/i.exec(request.headers.get("Authorization")?.trim() ?? "")?.[1];
}

const unauthenticated = (reason: string): FailureError =>
  new FailureError({ code: "unauthenticated", reason });
