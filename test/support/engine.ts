import { resolve } from "node:path";

import {
  type DockerEndpoint,
  engineVersion,
  parseDockerHost,
} from "../../scripts/setup/docker-api.ts";
import { enginePlaces } from "../../scripts/setup/engine-places.ts";
import { OwnEngine } from "../../scripts/setup/own-engine.ts";

const LOCAL = resolve(import.meta.dirname, "../../.bulkhead");

/** An engine that answers, for as long as a test file needs it. */
export interface TestEngine {
  readonly endpoint: DockerEndpoint;
  /** Lets go of it: the project's own engine stops with its last user. */
  readonly leave: () => Promise<void>;
}

/**
 * The engine that the set-up found or started: `DOCKER_HOST`, as `npm test` sets it, else the
 * project's own.
 *
 * @throws Where none answers: a test of containers without an engine proves nothing.
 */
export async function joinEngine(): Promise<TestEngine> {
  const named = parseDockerHost(process.env["DOCKER_HOST"] ?? "");
  if (named !== null && (await engineVersion(named)) !== null) {
    return { endpoint: named, leave: () => Promise.resolve() };
  }
  const own = new OwnEngine(enginePlaces(LOCAL));
  await own.join();
  return { endpoint: own.endpoint, leave: () => own.leave() };
}
