import type { Duplex } from "node:stream";

import Docker from "dockerode";
import type { ContainerCreateOptions, NetworkCreateOptions } from "dockerode";

import type { EngineAddress } from "./engine-address.ts";
import { engineFailure } from "./engine-result.ts";
import type { EngineResult } from "./engine-result.ts";

/** What is asked often answers within a second; a start beside many others takes some. Milliseconds. */
const CALL_MAX_MS = 10_000;
const START_MAX_MS = 30_000;
/** Under load, an engine takes long to bury what it killed. */
const REMOVE_MAX_MS = 60_000;

export interface EngineInfo {
  readonly version: string;
  readonly runtimes: readonly string[];
  readonly defaultRuntime: string;
}

export interface ImageInfo {
  /** `sha256:…` of the image itself. */
  readonly id: string;
  readonly labels: Readonly<Record<string, string>>;
  /** The image's own default command, entry point first; empty where it has none. */
  readonly command: readonly string[];
}

export interface ContainerState {
  readonly id: string;
  readonly running: boolean;
  /** Of its first process, as the engine's machine numbers it; 0 once it ended. */
  readonly pid: number;
  readonly oomKilled: boolean;
  readonly exitCode: number;
}

export interface ListedContainer {
  readonly id: string;
  readonly running: boolean;
  readonly labels: Readonly<Record<string, string>>;
}

/** Limits that can be set for a container that runs; bytes, billionths of a core, processes. */
export interface RunningLimits {
  readonly memoryBytes: number | null;
  readonly nanoCpus: number | null;
  readonly pids: number | null;
}

/**
 * The container engine: every call has a time limit, and a failure is a value. Holds no state.
 *
 * A call that was `silent` may have been done. So containers carry names: made again, they conflict.
 */
export class Engine {
  readonly #docker: Docker;

  constructor(address: EngineAddress) {
    this.#docker =
      address.kind === "socket"
        ? new Docker({ socketPath: address.path })
        : new Docker({
            host: address.host,
            port: address.port,
            protocol: address.tls === null ? "http" : "https",
            ...address.tls,
          });
  }

  async info(): Promise<EngineResult<EngineInfo>> {
    return await bounded(CALL_MAX_MS, async () => {
      const info = (await this.#docker.info()) as Readonly<Record<string, unknown>>;
      const runtimes = info["Runtimes"];
      return {
        version: String(info["ServerVersion"]),
        runtimes: typeof runtimes === "object" && runtimes !== null ? Object.keys(runtimes) : [],
        defaultRuntime: String(info["DefaultRuntime"]),
      };
    });
  }

  async image(reference: string): Promise<EngineResult<ImageInfo>> {
    return await bounded(CALL_MAX_MS, async () => {
      const { Id, Config } = await this.#docker.getImage(reference).inspect();
      const entry = [Config.Entrypoint ?? []].flat();
      return { id: Id, labels: Config.Labels ?? {}, command: [...entry, ...(Config.Cmd ?? [])] };
    });
  }

  /** Makes a container of a name that is not taken; its id. */
  async create(options: ContainerCreateOptions): Promise<EngineResult<string>> {
    return await bounded(
      START_MAX_MS,
      async (abortSignal) => (await this.#docker.createContainer({ ...options, abortSignal })).id,
    );
  }

  /** The container's standard streams, output multiplexed as the engine does it. To be destroyed by the caller. */
  async attach(id: string): Promise<EngineResult<Duplex>> {
    return await bounded(
      CALL_MAX_MS,
      async () =>
        (await this.#docker.getContainer(id).attach({
          stream: true,
          hijack: true,
          stdin: true,
          stdout: true,
          stderr: true,
        })) as Duplex,
      (late) => late.destroy(),
    );
  }

  async start(id: string): Promise<EngineResult<void>> {
    return await bounded(START_MAX_MS, async (abortSignal) => {
      await this.#docker.getContainer(id).start({ abortSignal });
    });
  }

  async inspect(id: string): Promise<EngineResult<ContainerState>> {
    return await bounded(CALL_MAX_MS, async (abortSignal) => {
      const { State } = await this.#docker.getContainer(id).inspect({ abortSignal });
      return {
        id,
        running: State.Running,
        pid: State.Pid,
        oomKilled: State.OOMKilled,
        exitCode: State.ExitCode,
      };
    });
  }

  /** Sends a signal to the container's first process; SIGKILL ends all of them. */
  async kill(id: string, signal: "SIGTERM" | "SIGKILL"): Promise<EngineResult<void>> {
    return await bounded(CALL_MAX_MS, async (abortSignal) => {
      await this.#docker.getContainer(id).kill({ signal, abortSignal });
    });
  }

  /** Resolves once the container's first process ended; a failure where that is not soon. */
  async wait(id: string): Promise<EngineResult<void>> {
    return await bounded(CALL_MAX_MS, async (abortSignal) => {
      await this.#docker.getContainer(id).wait({ abortSignal });
    });
  }

  /** Kills the container if it lives, and removes it. Removing what is gone is done. */
  async remove(id: string): Promise<EngineResult<void>> {
    const result = await bounded(REMOVE_MAX_MS, async (abortSignal) => {
      await this.#docker.getContainer(id).remove({ force: true, v: true, abortSignal });
    });
    return !result.ok && result.failure.kind === "missing"
      ? { ok: true, value: undefined }
      : result;
  }

  /** Every container with the label, also those that ended. */
  async list(label: string): Promise<EngineResult<readonly ListedContainer[]>> {
    return await bounded(CALL_MAX_MS, async (abortSignal) => {
      const listed = await this.#docker.listContainers({
        all: true,
        filters: { label: [label] },
        abortSignal,
      });
      return listed.map(({ Id, State, Labels }) => ({
        id: Id,
        running: State === "running",
        labels: Labels,
      }));
    });
  }

  /** Sets limits through the engine: slower than the control group, for engines elsewhere. */
  async update(id: string, limits: RunningLimits): Promise<EngineResult<void>> {
    return await bounded(CALL_MAX_MS, async () => {
      const { memoryBytes, nanoCpus, pids } = limits;
      const memory = memoryBytes ?? -1;
      await this.#docker.getContainer(id).update({
        Memory: memory,
        MemorySwap: memory,
        ...(nanoCpus === null ? {} : { NanoCpus: nanoCpus }),
        PidsLimit: pids ?? -1,
      });
    });
  }

  /** The network's id and its gateway's address; made where it is not there. */
  async ensureNetwork(
    options: NetworkCreateOptions,
  ): Promise<EngineResult<{ readonly id: string; readonly gateway: string }>> {
    return await bounded(START_MAX_MS, async () => {
      const found = await this.#docker.listNetworks({ filters: { name: [options.Name] } });
      const there = found.find(({ Name }) => Name === options.Name);
      const id = there?.Id ?? (await this.#docker.createNetwork(options)).id;
      const { IPAM } = await this.#docker.getNetwork(id).inspect();
      const gateway: unknown = IPAM?.Config?.[0]?.Gateway;
      if (typeof gateway !== "string") throw new TypeError("the network has no gateway address");
      return { id, gateway };
    });
  }

  async removeNetwork(id: string): Promise<EngineResult<void>> {
    return await bounded(CALL_MAX_MS, async () => {
      await this.#docker.getNetwork(id).remove();
    });
  }
}

/** Runs a call within `maxMs`. Its signal aborts then, and where it cannot, `late` gets what still comes. */
async function bounded<T>(
  maxMs: number,
  call: (signal: AbortSignal) => Promise<T>,
  late?: (value: T) => void,
): Promise<EngineResult<T>> {
  const deadline = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<EngineResult<T>>((resolve) => {
    timer = setTimeout(() => {
      deadline.abort();
      resolve({
        ok: false,
        failure: { kind: "silent", message: `the engine did not answer in ${maxMs} ms` },
      });
    }, maxMs);
  });
  const answer = call(deadline.signal).then(
    (value): EngineResult<T> => {
      if (deadline.signal.aborted) late?.(value);
      return { ok: true, value };
    },
    (error: unknown): EngineResult<T> => ({ ok: false, failure: engineFailure(error) }),
  );
  try {
    return await Promise.race([answer, silence]);
  } finally {
    clearTimeout(timer);
  }
}
