import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import Docker from "dockerode";
import type { ContainerInspectInfo } from "dockerode";

import type { DockerEndpoint } from "../../scripts/setup/docker-api.ts";

/** The containers of one executor, seen from beside it. */
export interface EngineContainers {
  readonly docker: Docker;
  ids(): Promise<readonly string[]>;
  inspect(id: string): Promise<ContainerInspectInfo>;
  /** Host pids of processes of that name in them. */
  pids(name: string): Promise<readonly number[]>;
  remove(): Promise<void>;
  /** A container of somebody else's, of the same image. */
  addForeign(): Promise<{ exists(): Promise<boolean>; remove(): Promise<void> }>;
}

/** The containers of the executor whose state is in the folder. */
export function containersOf(endpoint: DockerEndpoint, stateFolder: string): EngineContainers {
  const docker = new Docker(
    endpoint.kind === "socket"
      ? { socketPath: endpoint.socketPath }
      : { host: endpoint.host, port: endpoint.port, protocol: "http" },
  );
  const executorId = readFileSync(join(stateFolder, "executor-id"), "utf8").trim();
  const filters = { label: [`bulkhead.executor=${executorId}`] };
  const ids = async (): Promise<readonly string[]> =>
    (await docker.listContainers({ all: true, filters })).map(({ Id }) => Id);
  const inspect = async (id: string): Promise<ContainerInspectInfo> =>
    await docker.getContainer(id).inspect();
  return {
    docker,
    ids,
    inspect,
    pids: async (name) => {
      const found: number[] = [];
      for (const id of await ids()) {
        const { Processes } = await docker
          .getContainer(id)
          .top()
          .catch(() => ({ Processes: [] as string[][] }));
        for (const [, pid = ""] of Processes) {
          const comm = await readFile(`/proc/${pid}/comm`, "utf8").catch(() => "");
          if (comm.trim() === name) found.push(Number(pid));
        }
      }
      return found;
    },
    remove: async () => {
      for (const id of await ids()) {
        await docker
          .getContainer(id)
          .remove({ force: true })
          .catch(() => {});
      }
      const networks = await docker.listNetworks({ filters });
      for (const { Id } of networks) await docker.getNetwork(Id).remove();
    },
    addForeign: async () => {
      const container = await docker.createContainer({
        Image: "bulkhead/bash:latest",
        OpenStdin: true,
        Labels: { "bulkhead.executor": "somebody-else" },
        HostConfig: { NetworkMode: "none" },
      });
      await container.start();
      return {
        exists: async () => (await container.inspect()).State.Running,
        remove: async () => {
          await container.remove({ force: true });
        },
      };
    },
  };
}
