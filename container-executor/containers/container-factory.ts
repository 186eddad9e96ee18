import { randomBytes } from "node:crypto";
import type { Duplex } from "node:stream";

import { InitChannel } from "../channel/init-channel.ts";
import type { InitEvent } from "../channel/init-channel.ts";
import type { EngineResult } from "../engine/engine-result.ts";
import type { Engine } from "../engine/engine.ts";
import { Cgroup } from "./cgroup.ts";
import { cgroupMemoryBytes, cgroupPids, containerOptions, nanoCpus } from "./container-options.ts";
import type { Confinement, ContainerLimits, FirstProcess, Isolation } from "./container-options.ts";

/** Its init answers within some milliseconds of the start; on a busy machine much later. Milliseconds. */
const READY_MAX_MS = 20_000;

/** A container that runs, whose init waits for its one job. */
export interface InitContainer {
  readonly id: string;
  readonly channel: InitChannel;
  /** undefined where the engine is on another machine. */
  readonly cgroup: Cgroup | undefined;
  readonly limits: ContainerLimits;
  readonly isolation: Isolation;
}

/** A container that runs a program of its own image; its output is multiplexed as the engine does it. */
export interface ProgramContainer {
  readonly id: string;
  readonly stream: Duplex;
  readonly cgroup: Cgroup | undefined;
}

export interface FactoryOwner {
  readonly executorId: string;
  readonly bootId: string;
}

/** Makes containers, each confined by `containerOptions`. What it makes is its caller's to remove. */
export class ContainerFactory {
  readonly #engine: Engine;
  readonly #owner: FactoryOwner;

  constructor(engine: Engine, owner: FactoryOwner) {
    this.#engine = engine;
    this.#owner = owner;
  }

  /** Makes and starts a container of a runtime image; `name` must be unique, a random one where undefined. */
  async withInit(
    image: string,
    confinement: Confinement,
    name: string | undefined,
  ): Promise<EngineResult<InitContainer>> {
    const made = await this.#started(image, { kind: "init" }, confinement, name);
    if (!made.ok) return made;
    const { id, stream, channel } = made.value;
    if (channel === undefined) throw new TypeError("a container with init has a channel");
    const failure = await readyWithin(channel, READY_MAX_MS);
    if (failure !== undefined) {
      stream.destroy();
      await this.#engine.remove(id);
      return { ok: false, failure: { kind: "refused", message: failure } };
    }
    const { limits, isolation } = confinement;
    return {
      ok: true,
      value: { id, channel, cgroup: await this.#cgroupOf(id), limits, isolation },
    };
  }

  /** Makes and starts a container that runs its own image's program at once. */
  async withProgram(
    image: string,
    program: Extract<FirstProcess, { kind: "program" }>,
    confinement: Confinement,
    name: string,
  ): Promise<EngineResult<ProgramContainer>> {
    const made = await this.#started(image, program, confinement, name);
    if (!made.ok) return made;
    const { id, stream } = made.value;
    return { ok: true, value: { id, stream, cgroup: await this.#cgroupOf(id) } };
  }

  /** Finds a container again that an earlier life of the service gave a job; undefined where it cannot. */
  async resumed(
    id: string,
    earlier: {
      readonly syncKey: Uint8Array;
      readonly ackedSeq: number;
      readonly onEvent: (event: InitEvent) => void;
    },
  ): Promise<{ readonly channel: InitChannel; readonly cgroup: Cgroup | undefined } | undefined> {
    const stream = await this.#engine.attach(id);
    if (!stream.ok) return undefined;
    const channel = InitChannel.resume(stream.value, earlier);
    const failure = await readyWithin(channel, READY_MAX_MS);
    if (failure === undefined) return { channel, cgroup: await this.#cgroupOf(id) };
    stream.value.destroy();
    return undefined;
  }

  /**
   * Sets a job's own limits on a container made with others: in its control group, else through the
   * engine. False where that failed; then the container must not run the job.
   */
  async limit(container: InitContainer, limits: ContainerLimits): Promise<boolean> {
    const { id, cgroup, isolation } = container;
    const { memoryMb, cpus, pids } = container.limits;
    if (memoryMb === limits.memoryMb && cpus === limits.cpus && pids === limits.pids) return true;
    const running = {
      memoryBytes: cgroupMemoryBytes(limits, isolation),
      nanoCpus: limits.cpus === null ? null : nanoCpus(limits.cpus),
      pids: cgroupPids(limits, isolation),
    };
    if (cgroup !== undefined) return cgroup.limit(running);
    return (await this.#engine.update(id, running)).ok;
  }

  async #started(
    image: string,
    first: FirstProcess,
    confinement: Confinement,
    name = `bulkhead-spare-${randomBytes(8).toString("hex")}`,
  ): Promise<
    EngineResult<{
      readonly id: string;
      readonly stream: Duplex;
      readonly channel: InitChannel | undefined;
    }>
  > {
    const identity = { name, ...this.#owner };
    const created = await this.#engine.create(
      containerOptions(identity, image, first, confinement),
    );
    if (!created.ok) return created;
    const id = created.value;
    const attached = await this.#engine.attach(id);
    if (!attached.ok) {
      await this.#engine.remove(id);
      return attached;
    }
    const stream = attached.value;
    // An error is followed by `close`, which whoever reads the stream waits for.
    stream.on("error", () => {});
    const channel = first.kind === "init" ? InitChannel.open(stream) : undefined;
    const started = await this.#engine.start(id);
    if (!started.ok) {
      stream.destroy();
      await this.#engine.remove(id);
      return started;
    }
    return { ok: true, value: { id, stream, channel } };
  }

  async #cgroupOf(id: string): Promise<Cgroup | undefined> {
    const state = await this.#engine.inspect(id);
    return state.ok ? await Cgroup.of(id, state.value.pid) : undefined;
  }
}

/** Why the channel is not ready, or undefined once it is. */
async function readyWithin(channel: InitChannel, maxMs: number): Promise<string | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => {
      resolve(`the container's init did not answer in ${maxMs} ms`);
    }, maxMs);
  });
  const ready = channel.ready.then(
    () => undefined,
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );
  try {
    return await Promise.race([ready, late]);
  } finally {
    clearTimeout(timer);
  }
}
