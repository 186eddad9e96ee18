import type {
  ContainerOrder,
  ContainerReadiness,
  OrderRefusal,
} from "../protocol/container-api.ts";
import type { Refusal } from "../protocol/sandbox-api.ts";
import type { ContainerConfig } from "./config.ts";
import { ContainerFactory } from "./containers/container-factory.ts";
import { LABEL_EXECUTOR } from "./containers/container-options.ts";
import type { Isolation } from "./containers/container-options.ts";
import { Images } from "./containers/images.ts";
import { Remover } from "./containers/remover.ts";
import { SparePool } from "./containers/spare-pool.ts";
import { Engine } from "./engine/engine.ts";
import type { EngineInfo } from "./engine/engine.ts";
import { Journal } from "./journal/journal.ts";
import { monotonicMs } from "./journal/machine-clock.ts";
import { log } from "./log.ts";
import type { Metrics } from "./metrics.ts";
import { HostLoad } from "./monitor/host-load.ts";
import { Monitor } from "./monitor/monitor.ts";
import {
  calculateRecommendedConcurrency,
  canIncreaseConcurrency,
} from "./monitor/recommended-concurrency.ts";
import type { Capacity } from "./monitor/recommended-concurrency.ts";
import { GrantedNetwork } from "./network/granted-network.ts";
import { RunStarter } from "./runs/run-starter.ts";
import type { EngineRuntimes } from "./runs/run-starter.ts";
import { Runs } from "./runs/runs.ts";
import { imageReference, RUNTIMES } from "./runtimes/runtimes.ts";
import type { RuntimeImage } from "./runtimes/runtimes.ts";
import type { StateFolder } from "./state-folder.ts";

const MIB = 1024 * 1024;
/** Below it no order is taken: what runs already is to end in order. */
const DISK_FREE_MIN_BYTES = 256 * MIB;
const ENGINE_CHECK_MS = 5000;

/** The runtime that gVisor containers with a network are run by: the other has none. */
const GVISOR_NETWORKED = "runsc-net";

/** How containers are run by this engine, or why they cannot be. */
export function engineRuntimes(
  info: EngineInfo,
  asked: string | null,
): EngineRuntimes | { readonly problem: string } {
  if (asked !== null && !info.runtimes.includes(asked)) {
    return { problem: `the engine has no runtime "${asked}" (DOCKER_RUNTIME)` };
  }
  const isolation: Isolation = (asked ?? info.defaultRuntime).startsWith("runsc")
    ? "gvisor"
    : "namespaces";
  if (isolation === "namespaces") return { isolation, alone: asked, networked: asked };
  const networked = info.runtimes.includes(GVISOR_NETWORKED) ? GVISOR_NETWORKED : null;
  return { isolation, alone: asked, networked };
}

/**
 * All of the executor but its HTTP surface. `open` brings it up as soon as the engine answers, and
 * what goes wrong until then, or later, is why it is not ready.
 */
export class ContainerLane {
  readonly monitor: Monitor;
  readonly images: Images;
  readonly #config: ContainerConfig;
  readonly #bootId: string;
  readonly #metrics: Metrics;
  readonly #state: StateFolder;
  readonly #engine: Engine;
  readonly #journal: Journal;
  readonly #remover: Remover;
  readonly #factory: ContainerFactory;
  readonly #spares: SparePool;
  readonly #network: GrantedNetwork;
  readonly #hostLoad: HostLoad;
  #runs: Runs | undefined;
  #runtimes: EngineRuntimes | undefined;
  #info: EngineInfo | null = null;
  #problem: string | null = "the engine is being looked for";
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(config: ContainerConfig, state: StateFolder, bootId: string, metrics: Metrics) {
    this.#config = config;
    this.#bootId = bootId;
    this.#metrics = metrics;
    this.#state = state;
    const { executorId, secret } = state;
    this.#engine = new Engine(config.engine);
    this.#journal = new Journal(state.path);
    this.#remover = new Remover(this.#engine);
    this.monitor = new Monitor(config.monitor);
    this.#factory = new ContainerFactory(this.#engine, { executorId, bootId });
    this.#hostLoad = new HostLoad(state.path);
    this.#spares = new SparePool({
      policy: config.spares,
      make: async (image) => await this.#makeSpare(image),
      discard: async ({ id, channel }) => {
        channel.bye();
        await this.#remover.remove(id);
      },
      now: monotonicMs,
    });
    this.images = new Images(this.#engine, (image) => {
      this.#spares.stock(image);
    });
    this.#network = new GrantedNetwork({
      engine: this.#engine,
      executorId,
      secret,
      stateFolder: state.path,
      allowPrivateHosts: config.allowPrivateHosts,
    });
  }

  /** The runs; undefined until those of the earlier life are taken up, when nothing of them can be said. */
  get runs(): Runs | undefined {
    return this.#runs;
  }

  get spareCounts(): Readonly<Record<string, number>> {
    return this.#spares.counts();
  }

  /** What runs the containers, for whoever asks for languages. */
  get engineName(): string {
    const runtime = this.#runtimes?.alone ?? this.#info?.defaultRuntime ?? "unknown";
    return `docker ${this.#info?.version ?? "unknown"} (${runtime})`;
  }

  /** Tries to bring all up, and again each few seconds until `close`. */
  async open(): Promise<void> {
    await this.#check();
    if (this.#closed) return;
    // Not an interval: one look may take longer, and the earlier life is taken up once.
    this.#timer = setTimeout(() => void this.open(), ENGINE_CHECK_MS);
  }

  readiness(): ContainerReadiness {
    const draining = this.#runs?.draining ?? false;
    const problem = draining ? "draining" : this.#unready();
    const { host } = this.#hostLoad;
    const capacity = this.#capacity();
    const inFlight = this.#runs?.inFlight ?? 0;
    return {
      ready: problem === null,
      reason: problem,
      bootId: this.#bootId,
      draining,
      inFlight,
      spares: { ...this.spareCounts },
      engine:
        this.#info === null
          ? null
          : {
              version: this.#info.version,
              runtime: this.#runtimes?.alone ?? this.#info.defaultRuntime,
            },
      images: { ...this.images.present() },
      host,
      recommendedConcurrency: calculateRecommendedConcurrency(capacity),
      canIncreaseConcurrency: canIncreaseConcurrency(this.#hostLoad.samples, capacity, inFlight),
    };
  }

  /** Takes no more orders; with `stop`, kills what runs. */
  drain(stop: boolean): void {
    this.#spares.pause();
    this.#runs?.drain();
    if (stop) void this.#runs?.killAll("drain");
  }

  /** Lets go of what still runs, and removes what waits. Nothing is made after it. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.images.close();
    this.#hostLoad.close();
    this.#runs?.detachAll();
    await this.#spares.close();
    await this.#remover.close();
    // Only after its last container has left it.
    await this.#network.close();
    this.#journal.close();
  }

  async #check(): Promise<void> {
    const info = await this.#engine.info();
    if (this.#closed) return;
    if (!info.ok) return this.#setProblem(`the engine does not answer: ${info.failure.message}`);
    this.#info = info.value;
    const runtimes = engineRuntimes(info.value, this.#config.runtime);
    if ("problem" in runtimes) return this.#setProblem(runtimes.problem);
    this.#runtimes = runtimes;
    if (this.#runs === undefined && !(await this.#takeUp(runtimes))) return;
    this.#runs?.expire(monotonicMs());
    this.#setProblem(null);
  }

  #setProblem(problem: string | null): void {
    if (problem !== this.#problem)
      log(problem === null ? "lane.ready" : "lane.not-ready", { problem });
    this.#problem = problem;
  }

  /** Takes up what the earlier life left, and removes the rest of its containers. False where the engine went away. */
  async #takeUp(runtimes: EngineRuntimes): Promise<boolean> {
    const label = `${LABEL_EXECUTOR}=${this.#state.executorId}`;
    const listed = await this.#engine.list(label);
    if (!listed.ok) {
      this.#setProblem(`the engine does not list containers: ${listed.failure.message}`);
      return false;
    }
    const { maxConcurrent, ceilings, allowedImages, spareLimits } = this.#config;
    const remove = async (id: string): Promise<void> => await this.#remover.remove(id);
    const starter = new RunStarter({
      engine: this.#engine,
      factory: this.#factory,
      spares: this.#spares,
      spareLimits,
      images: this.images,
      network: this.#network,
      runtimes,
      remove,
    });
    const canNetwork = runtimes.isolation === "namespaces" || runtimes.networked !== null;
    const runs = new Runs({
      house: { journal: this.#journal, monitor: this.monitor, remove },
      starter,
      folder: this.#state.runs,
      policy: { ceilings, allowedImages, network: canNetwork ? this.#config.network : [] },
      maxConcurrent,
      unready: () => this.#unready(),
      imageRefusal: async (order) => await this.#imageRefusal(order),
      ended: ({ outcome, usage }) => {
        this.#metrics.runEnded(outcome, usage.startMs);
      },
    });
    const { containers, adopted } = runs.load();
    this.#runs = runs;
    await adopted;
    for (const { id } of listed.value) {
      if (!containers.has(id)) await this.#remover.remove(id);
    }
    await this.images.watch();
    return true;
  }

  async #makeSpare(image: string): ReturnType<SparePoolMake> {
    const id = this.images.idOf(image as RuntimeImage);
    const runtimes = this.#runtimes;
    if (id === undefined || runtimes === undefined) {
      return { ok: false, failure: { kind: "missing", message: "the image is not here" } };
    }
    const { isolation, alone } = runtimes;
    const limits = this.#config.spareLimits;
    return await this.#factory.withInit(
      id,
      { limits, runtime: alone, isolation, network: null },
      undefined,
    );
  }

  async #imageRefusal({
    runtime,
    image,
  }: ContainerOrder): Promise<OrderRefusal | Refusal | undefined> {
    if (runtime !== null) {
      const own = RUNTIMES[runtime].image;
      if (this.images.idOf(own) !== undefined) return undefined;
      const detail = `the image "${imageReference(own)}" is not on this executor's engine`;
      return { code: "image_missing", detail };
    }
    if (image === null) return undefined;
    const found = await this.#engine.image(image);
    if (found.ok) return undefined;
    if (found.failure.kind !== "missing") return "not-ready";
    return { code: "image_missing", detail: "the image is not on this executor's engine" };
  }

  #unready(): string | null {
    if (this.#problem !== null) return this.#problem;
    const { diskFreeBytes } = this.#hostLoad.host;
    if (diskFreeBytes < DISK_FREE_MIN_BYTES) return "the disk of the state folder is full";
    const present = Object.values(this.images.present());
    return present.includes(true) ? null : "no runtime image is on the engine";
  }

  #capacity(): Capacity {
    const { cores, memoryBytes } = this.#hostLoad.host;
    const { cpus, memoryMb } = this.#config.spareLimits;
    return {
      cores,
      memoryBytes,
      containerCpus: cpus,
      containerMemoryBytes: memoryMb === null ? null : memoryMb * MIB,
    };
  }
}

type SparePoolMake = ConstructorParameters<typeof SparePool>[0]["make"];
