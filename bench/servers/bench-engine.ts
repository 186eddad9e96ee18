import { join } from "node:path";

import { askDocker, type DockerEndpoint, dockerHost } from "../../scripts/setup/docker-api.ts";
import { findProgram } from "../../scripts/setup/find-program.ts";
import { type Machine, releaseMachine, setUp } from "../../scripts/setup/set-up.ts";
import type { EngineRuntime } from "../container/program.ts";

const SILENCE_MS = 10_000;

/** A Docker engine with the runtime images, as the set-up finds or makes it. Lets go of it when disposed. */
export class BenchEngine implements AsyncDisposable {
  readonly machine: Machine;
  readonly endpoint: DockerEndpoint;
  readonly dockerHost: string;
  /** Whether the engine's own command is here. */
  readonly hasCommand = findProgram("docker") !== null;
  readonly runtimes: readonly EngineRuntime[];

  private constructor(machine: Machine, endpoint: DockerEndpoint, hasGvisor: boolean) {
    this.machine = machine;
    this.endpoint = endpoint;
    this.dockerHost = dockerHost(endpoint);
    this.runtimes = hasGvisor ? ["runc", "runsc"] : ["runc"];
  }

  /** @throws {Error} Where there is no engine, or no image to run in. */
  static async prepare(root: string, say: (line: string) => void): Promise<BenchEngine> {
    const machine = await setUp(join(root, ".bulkhead"), (line) => say(`  ${line}`));
    try {
      const { engine, runtimeImages } = machine;
      if (!engine.ready) throw new Error(`Cannot run containers: ${engine.reason}`);
      if (!runtimeImages.ready) throw new Error(`Cannot run containers: ${runtimeImages.reason}`);
      const { endpoint } = engine.value;
      const info = await askDocker(endpoint, {
        method: "GET",
        path: "/info",
        silenceMs: SILENCE_MS,
      });
      return new BenchEngine(machine, endpoint, info.text.includes('"runsc"'));
    } catch (error) {
      await releaseMachine(machine);
      throw error;
    }
  }

  /** What a reader must know of it. */
  get notes(): readonly string[] {
    return [
      this.runtimes.includes("runsc")
        ? "gVisor is runsc with --platform=ptrace."
        : 'gVisor: not measured, since the engine has no runtime "runsc".',
      ...(this.hasCommand
        ? []
        : [
            "There is no docker command here: its place takes create, attach, start, wait and remove by the engine's API, which is faster.",
          ]),
    ];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await releaseMachine(this.machine);
  }
}
