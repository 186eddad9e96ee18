import { homedir } from "node:os";
import { join } from "node:path";

import type { Apt } from "./apt.ts";
import { type DockerEndpoint, dockerHost, engineVersion, parseDockerHost } from "./docker-api.ts";
import { enginePlaces } from "./engine-places.ts";
import { findProgram } from "./find-program.ts";
import { OwnEngine } from "./own-engine.ts";
import { lacking, ready, type StepResult } from "./step.ts";

/** A Docker engine that answers: the machine's, or the project's own, which must be left again. */
export interface Engine {
  readonly endpoint: DockerEndpoint;
  readonly own: OwnEngine | null;
}

const ADVICE = "install Docker and start it, or set DOCKER_HOST";

/** Finds the machine's Docker engine, else installs and starts one of the project's own. */
export async function prepareEngine(apt: Apt, local: string): Promise<StepResult<Engine>> {
  const named = process.env["DOCKER_HOST"];
  const candidates = machineEndpoints(named, homedir());
  for (const endpoint of candidates) {
    const version = await engineVersion(endpoint);
    if (version !== null) {
      return ready(
        { endpoint, own: null },
        `the machine's own, ${version}, ${dockerHost(endpoint)}`,
      );
    }
  }
  if (named !== undefined && named !== "") {
    return lacking(`no engine answers at DOCKER_HOST ${named}: start it, or unset the variable`);
  }
  if (process.platform !== "linux") return lacking(`no Docker engine answers: ${ADVICE}`);
  return startOwn(apt, local);
}

/** Where the machine's engine may listen; a DOCKER_HOST that is set is the only place. */
export function machineEndpoints(
  named: string | undefined,
  home: string,
): readonly DockerEndpoint[] {
  if (named !== undefined && named !== "") {
    const endpoint = parseDockerHost(named);
    return endpoint === null ? [] : [endpoint];
  }
  return ["/var/run/docker.sock", join(home, ".docker/run/docker.sock")].map((socketPath) => ({
    kind: "socket",
    socketPath,
  }));
}

async function startOwn(apt: Apt, local: string): Promise<StepResult<Engine>> {
  if (process.getuid?.() !== 0) {
    return lacking(`no Docker engine answers, and only root can start one: ${ADVICE}`);
  }
  const missing = missingEnginePackages((program) => findProgram(program) !== null);
  if (missing.length > 0) {
    const failure = await apt.install(missing);
    if (failure !== null && findProgram("dockerd") === null) {
      return lacking(`no Docker engine answers: ${ADVICE} (${failure})`);
    }
  }
  const own = new OwnEngine(enginePlaces(local));
  try {
    await own.join();
  } catch (error) {
    await own.leave();
    return lacking(`${error instanceof Error ? error.message : String(error)}: ${ADVICE}`);
  }
  const version = await engineVersion(own.endpoint);
  return ready({ endpoint: own.endpoint, own }, `the project's own, ${version ?? "not answering"}`);
}

/** Which Debian packages an engine of the project's own still needs. */
export function missingEnginePackages(has: (program: string) => boolean): readonly string[] {
  const wanted = [
    { program: "dockerd", debianPackage: "docker.io" },
    { program: "runsc", debianPackage: "runsc" },
  ];
  return wanted.filter(({ program }) => !has(program)).map((tool) => tool.debianPackage);
}
