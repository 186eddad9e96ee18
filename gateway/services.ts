import { jobObjectName } from "../durable-objects/job-contract.ts";
import { type Config, configOf } from "./config.ts";
import { KeyRing } from "./identity/api-keys.ts";
import { TenantGate } from "./identity/tenant-gate.ts";
import { TicketOffice } from "./identity/tickets.ts";
import { TokenVerifier } from "./identity/tokens.ts";
import { ContainerRuntimesBook } from "./lanes/container-runtimes.ts";
import { ExecutorHealthBook } from "./lanes/executor-health.ts";
import { IsolateLane } from "./lanes/isolate.ts";
import { JobObjects } from "./objects/job-objects.ts";

/** What requests share within one gateway isolate. Nothing here belongs to one request. */
export interface Services {
  readonly config: Config;
  readonly keys: KeyRing;
  readonly tokens: TokenVerifier | undefined;
  readonly gate: TenantGate;
  readonly isolates: IsolateLane;
  readonly containers: ContainerRuntimesBook;
  readonly executors: ExecutorHealthBook;
  readonly jobs: JobObjects;
  readonly tickets: TicketOffice;
  /** R2: specs of jobs that are too long for their tenant's object, and files that jobs left. */
  readonly files: R2Bucket;
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
    containers: new ContainerRuntimesBook(config.containerUrls),
    executors: new ExecutorHealthBook(config),
    jobs: new JobObjects({
      tenant: (tenant) => env.TENANT.getByName(tenant),
      job: (tenant, jobId) => env.JOB.getByName(jobObjectName(tenant, jobId)),
      lane: (lane) => env.LANE.getByName(lane),
    }),
    tickets: new TicketOffice(config.keySigningSecrets),
    files: env.ARTIFACTS,
  };
  services.set(env, made);
  return made;
}
