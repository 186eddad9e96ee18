import { createRemoteJWKSet, errors, jwtVerify } from "jose";

import { TENANT_ID } from "../../protocol/api-key.ts";
import { fail, ok, type Result } from "../../protocol/result.ts";
import { Scope } from "../../protocol/tenant.ts";
import type { JwtConfig } from "../config.ts";
import type { Principal } from "./tenant-gate.ts";

/** Longest wait for the identity provider's keys. */
const JWKS_TIMEOUT_MS = 3_000;

const RETRY_AFTER_MS = 5_000;

/** Only signatures whose key the provider alone has. */
const ALGORITHMS = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "EdDSA",
];

/** Checks an identity provider's tokens (JWT). Its keys are fetched when needed, and cached. */
export class TokenVerifier {
  readonly #config: JwtConfig;
  readonly #keys: ReturnType<typeof createRemoteJWKSet>;

  constructor(config: JwtConfig) {
    this.#config = config;
    const url = new URL(config.jwksUrl);
    this.#keys = createRemoteJWKSet(url, { timeoutDuration: JWKS_TIMEOUT_MS });
  }

  /** Who a token speaks for. One without `scope` may do nothing. */
  async verify(token: string): Promise<Result<Principal>> {
    const { issuer, audience, tenantClaim } = this.#config;
    try {
      const options = { issuer, audience, algorithms: ALGORITHMS, requiredClaims: ["exp"] };
      const { payload } = await jwtVerify(token, this.#keys, options);
      const tenant = payload[tenantClaim];
      if (typeof tenant !== "string" || !TENANT_ID.test(tenant)) {
        return refused(`the token's claim "${tenantClaim}" names no tenant`);
      }
      const granted = typeof payload["scope"] === "string" ? payload["scope"].split(" ") : [];
      const scopes = Scope.options.filter((scope) => granted.includes(scope));
      return ok({ tenant, keyId: null, scopes });
    } catch (error) {
      if (error instanceof errors.JWTExpired) return refused("the token has expired");
      if (!isTokensFault(error)) {
        return fail({ code: "identity_unavailable", retryAfterMs: RETRY_AFTER_MS });
      }
      return refused("the token is not one of the identity provider's for this service");
    }
  }
}

const refused = (reason: string): Result<never> => fail({ code: "unauthenticated", reason });

/** Anything else is the way to the provider's keys. */
function isTokensFault(error: unknown): boolean {
  return (
    error instanceof errors.JWTInvalid ||
    error instanceof errors.JWTClaimValidationFailed ||
    error instanceof errors.JWSInvalid ||
    error instanceof errors.JWSSignatureVerificationFailed ||
    error instanceof errors.JOSEAlgNotAllowed ||
    error instanceof errors.JOSENotSupported ||
    error instanceof errors.JWKSNoMatchingKey ||
    error instanceof errors.JWKSMultipleMatchingKeys
  );
}
