import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { parseSecretList } from "../../protocol/api-key.ts";
import { ContainerReadiness } from "../../protocol/container-api.ts";
import { type Stack, startStack } from "../../scripts/stack/stack.ts";
import { type EngineRuntime, ORDER, REQUEST, STDOUT } from "../container/program.ts";
import type { Entrant } from "../contest.ts";
import type { ExecutorTarget } from "../load/executor-client.ts";
import type { JobTarget } from "../load/job-client.ts";
import { LoadProcess } from "../load/load-process.ts";
import type { Load } from "../load/load.ts";
import type { BenchEngine } from "./bench-engine.ts";
import { mintBenchKey } from "./bench-tenant.ts";
import { WorkerdGateway } from "./workerd.ts";

const REST_MAX_MS = 120_000;
const POLL_MS = 50;
/** Of each image, as shipped. */
const SPARES_KEPT = "2";
/** So long at rest, nothing is on its way any more. */
const CALM_MS = 500;

export interface ContainersOptions {
  readonly root: string;
  readonly engine: BenchEngine;
  readonly runtime: EngineRuntime;
  /** What the executor is told beside its shipped defaults. */
  readonly env: Readonly<Record<string, string>>;
}

/** A container-executor, and a gateway on workerd before it. Owns its processes and its clients'. */
export class BenchContainers implements AsyncDisposable {
  readonly #stack: Stack;
  readonly #workerd: WorkerdGateway;
  readonly #key: string;
  readonly #owned: AsyncDisposableStack;
  readonly #spares: number;

  private constructor(
    stack: Stack,
    workerd: WorkerdGateway,
    key: string,
    owned: AsyncDisposableStack,
    spares: number,
  ) {
    this.#stack = stack;
    this.#workerd = workerd;
    this.#key = key;
    this.#owned = owned;
    this.#spares = spares;
  }

  static async start({ root, engine, runtime, env }: ContainersOptions): Promise<BenchContainers> {
    await using cleanup = new AsyncDisposableStack();
    const state = join(root, ".bulkhead/bench", `container-executor-${runtime}`);
    const stack = await startStack({
      root,
      machine: engine.machine,
      services: ["container-executor"],
      containerEnv: {
        CONTAINER_STATE_DIR: state,
        // The callers alone bound how many run there; the gateway's lane keeps its own bound.
        MAX_CONCURRENT_CONTAINERS: "0",
        ...(runtime === "runc" ? {} : { DOCKER_RUNTIME: runtime }),
        ...env,
      },
    });
    cleanup.defer(() => stack.stop());
    const folder = join(stack.folder, "workerd");
    mkdirSync(folder, { recursive: true });
    const values = { ...stack.secrets, CONTAINER_URLS: stack.container, LOG_REQUESTS: "off" };
    const workerd = cleanup.use(await WorkerdGateway.start({ root, folder, values }));
    const key = await mintBenchKey(workerd.url, stack.secrets.ADMIN_TOKEN);
    const spares = Number(env["CONTAINER_SPARES"] ?? SPARES_KEPT);
    return new BenchContainers(stack, workerd, key, cleanup.move(), spares);
  }

  /** Straight to the executor. */
  async straight(name: string, load: Load): Promise<Entrant> {
    const [secret] = parseSecretList("EXECUTOR_SECRET", this.#stack.secrets.EXECUTOR_SECRET);
    if (secret === undefined) throw new TypeError("Cannot sign: the stack has no secret");
    const target: ExecutorTarget = {
      url: this.#stack.container,
      secret,
      order: ORDER,
      stdout: STDOUT,
    };
    return await this.#entrant(
      name,
      load,
      new URL("../load/executor-client.ts", import.meta.url),
      target,
    );
  }

  /** Through the gateway. */
  async through(name: string, way: "run-stream" | "job-stream", load: Load): Promise<Entrant> {
    const { url } = this.#workerd;
    const target: JobTarget = { url, keys: [this.#key], way, body: REQUEST, expected: STDOUT };
    return await this.#entrant(
      name,
      load,
      new URL("../load/job-client.ts", import.meta.url),
      target,
    );
  }

  /** Resolves once nothing runs and every spare that is kept is there. */
  readonly atRest = async (): Promise<void> => {
    const deadline = performance.now() + REST_MAX_MS;
    let since = performance.now();
    while (performance.now() - since < CALM_MS) {
      const answer = await fetch(new URL("/readyz", this.#stack.container));
      const { inFlight, spares } = ContainerReadiness.parse(await answer.json());
      const fewest = Math.min(...Object.values(spares), this.#spares);
      if (inFlight > 0 || fewest < this.#spares) since = performance.now();
      if (performance.now() > deadline) {
        throw new Error(`Cannot measure: the executor came to no rest within ${REST_MAX_MS} ms`);
      }
      await sleep(POLL_MS);
    }
  };

  async #entrant(name: string, load: Load, entry: URL, target: unknown): Promise<Entrant> {
    const client = this.#owned.use(await LoadProcess.start(entry, target));
    return {
      name,
      load,
      prepare: this.atRest,
      run: (given) => client.run(given),
      // A container's processes are its engine's, and so is most of its CPU time.
      measuredPids: [],
      clientPid: null,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync();
  }
}
