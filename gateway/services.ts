import { type Config, configOf } from "./config.ts";
import { KeyRing } from "./identity/api-keys.ts";
import { TenantGate } from "./identity/tenant-gate.ts";
import { TokenVerifier } from "./identity/tokens.ts";
import { IsolateLane } from "./lanes/isolate.ts";

/** What requests share within one gateway isolate. Nothing here belongs to one request. */
export interface Services {
  readonly config: Config;
  readonly keys: KeyRing;
  readonly tokens: TokenVerifier | undefined;
  readonly gate: TenantGate;
  readonly isolates: IsolateLane;
}

const services = new WeakMap<Env, Services>();

/**
 * The services of one set of bindings, made at the first request.
 *
 * @throws {TypeError} Where the configuration cannot be read.
 */
export function servicesOf(env: Env): Services {
  const known = services.get(env);
  if (known !== undefined) return known;
  const config = configOf(env);
  const made: Services = {
    config,
    keys: new KeyRing(config.keySigningSecrets),
    tokens: config.jwt === undefined ? undefined : new TokenVerifier(config.jwt),
    gate: new TenantGate(env.TENANT, { failOpen: config.failOpen }),
    isolates: new IsolateLane(config),
  };
  services.set(env, made);
  return made;
}
