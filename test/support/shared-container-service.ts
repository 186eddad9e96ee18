import { afterAll, beforeAll } from "vitest";

import { dockerHost } from "../../scripts/setup/docker-api.ts";
import { startContainerService } from "./container-service.ts";
import type { ContainerService } from "./container-service.ts";
import { containersOf } from "./engine-containers.ts";
import type { EngineContainers } from "./engine-containers.ts";
import { joinEngine } from "./engine.ts";
import type { TestEngine } from "./engine.ts";

const START_MAX_MS = 90_000;

/** One real service on the real engine for a whole test file, and nothing of it left afterwards. */
export function sharedContainerService(env: Readonly<Record<string, string>> = {}): {
  readonly service: () => ContainerService;
  readonly containers: () => EngineContainers;
} {
  let engine: TestEngine;
  let service: ContainerService;
  beforeAll(async () => {
    engine = await joinEngine();
    service = await startContainerService({ DOCKER_HOST: dockerHost(engine.endpoint), ...env });
  }, START_MAX_MS);
  afterAll(async () => {
    await service.stop();
    await containersOf(engine.endpoint, service.stateFolder).remove();
    service.removeState();
    await engine.leave();
  }, START_MAX_MS);
  return {
    service: () => service,
    containers: () => containersOf(engine.endpoint, service.stateFolder),
  };
}
