import { randomUUID } from "node:crypto";
import type { Duplex } from "node:stream";

import Docker from "dockerode";

import { InitChannel, type InitEvent } from "../../../container-executor/channel/init-channel.ts";
import type { InitJob } from "../../../container-executor/channel/init-job.ts";
import type { InitExit } from "../../../container-executor/channel/init-messages.ts";
import { containerOptions } from "../../../container-executor/containers/container-options.ts";
import {
  BASE_ENV,
  imageReference,
  type RuntimeImage,
} from "../../../container-executor/runtimes/runtimes.ts";
import type { DockerEndpoint } from "../../../scripts/setup/docker-api.ts";

export type EngineRuntime = "runc" | "runsc";

/** What a test says of a job; the rest lets any small program run. */
export type JobPart = Partial<Omit<InitJob, "limits" | "files">> & {
  /** A script for bash. */
  readonly script?: string;
  readonly files?: InitJob["files"];
  readonly limits?: Partial<InitJob["limits"]>;
};

export interface ContainerPart {
  readonly image?: RuntimeImage;
  readonly memoryMb?: number;
  readonly diskMb?: number;
  readonly pids?: number;
}

/** A job that was started, and what was heard of it. */
export interface StartedJob {
  readonly events: readonly InitEvent[];
  /** Fulfils once `condition` holds of what was heard. */
  readonly until: (condition: (heard: StartedJob) => boolean) => Promise<void>;
  readonly text: (stream: "stdout" | "stderr") => string;
  readonly bytes: (stream: "stdout" | "stderr") => Buffer;
  /** How it ended; rejects where the channel closes before. */
  readonly exit: Promise<InitExit>;
}

/** What is done with each event; by default it is acknowledged. */
type Handle = (event: InitEvent, channel: InitChannel) => void;

const acknowledge: Handle = (event, channel) => channel.ack(event.seq);

const MIB = 1024 * 1024;

/** A runtime container of its own, confined as the service's are, whose init waits for a job. */
export class InitContainer implements AsyncDisposable {
  channel: InitChannel;
  stream: Duplex;
  readonly #container: Docker.Container;
  readonly #runtime: EngineRuntime;
  readonly #part: Required<ContainerPart>;

  static async start(
    endpoint: DockerEndpoint,
    runtime: EngineRuntime,
    part: ContainerPart = {},
  ): Promise<InitContainer> {
    const full = { image: "bash" as const, memoryMb: 64, diskMb: 16, pids: 64, ...part };
    const docker = new Docker(
      endpoint.kind === "socket" ? { socketPath: endpoint.socketPath } : { ...endpoint },
    );
    const isolation = runtime === "runsc" ? "gvisor" : "namespaces";
    const container = await docker.createContainer(
      containerOptions(
        { name: `init-test-${randomUUID()}`, executorId: "init-test", bootId: "init-test" },
        imageReference(full.image),
        { kind: "init" },
        { limits: { cpus: 1, ...full }, runtime, isolation, network: null },
      ),
    );
    try {
      const stream = await attach(container);
      const started = new InitContainer(container, runtime, full, stream);
      await container.start();
      await started.channel.ready;
      return started;
    } catch (error) {
      await container.remove({ force: true });
      throw error;
    }
  }

  private constructor(
    container: Docker.Container,
    runtime: EngineRuntime,
    part: Required<ContainerPart>,
    stream: Duplex,
  ) {
    this.#container = container;
    this.#runtime = runtime;
    this.#part = part;
    this.stream = stream;
    this.channel = InitChannel.open(stream);
  }

  /** Starts a job; its limits are the container's. */
  begin({ script, ...part }: JobPart, handle = acknowledge): StartedJob {
    const heard = new Heard(this.channel, handle);
    const job: InitJob = {
      argv: ["bash", "-c", script ?? "true"],
      env: BASE_ENV,
      files: [],
      warmFrom: null,
      wantsValue: false,
      ...part,
      limits: {
        memoryBytes: this.#part.memoryMb * MIB,
        cpuMs: null,
        processes: this.#runtime === "runsc" ? this.#part.pids : null,
        leaseMs: 30_000,
        ...part.limits,
      },
    };
    void this.channel.start(job, heard.hear);
    return heard;
  }

  /** Runs a job without standard input to its end. */
  async run(part: JobPart): Promise<StartedJob & { readonly ended: InitExit }> {
    const job = this.begin(part);
    this.channel.endStdin();
    return Object.assign(job, { ended: await job.exit });
  }

  /** Breaks the connection and finds the same container again, as an executor does that was killed. */
  async reattach(ackedSeq: number, handle = acknowledge): Promise<StartedJob> {
    const { syncKey } = this.channel;
    this.channel.detach();
    this.stream = await attach(this.#container);
    const heard = new Heard(null, handle);
    this.channel = InitChannel.resume(this.stream, { syncKey, ackedSeq, onEvent: heard.hear });
    heard.listenTo(this.channel);
    return heard;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.channel.detach();
    await this.#container.remove({ force: true, v: true });
  }
}

async function attach(container: Docker.Container): Promise<Duplex> {
  const wants = { stream: true, hijack: true, stdin: true, stdout: true, stderr: true };
  return (await container.attach(wants)) as Duplex;
}

class Heard implements StartedJob {
  readonly events: InitEvent[] = [];
  readonly #exit = Promise.withResolvers<InitExit>();
  readonly exit = this.#exit.promise;
  readonly #handle: Handle;
  #channel: InitChannel | null = null;
  #changed = Promise.withResolvers<void>();

  constructor(channel: InitChannel | null, handle: Handle) {
    this.#handle = handle;
    this.exit.catch(() => {});
    if (channel !== null) this.listenTo(channel);
  }

  listenTo(channel: InitChannel): void {
    this.#channel = channel;
    void channel.closed.then((closed) => {
      this.#exit.reject(new Error(`the channel closed first: ${JSON.stringify(closed)}`));
      this.#changed.resolve();
    });
  }

  readonly hear = (event: InitEvent): void => {
    this.events.push(event);
    if (this.#channel !== null) this.#handle(event, this.#channel);
    if (event.type === "exit") this.#exit.resolve(event.exit);
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  };

  async until(condition: (heard: StartedJob) => boolean): Promise<void> {
    while (!condition(this)) await this.#changed.promise;
  }

  bytes(stream: "stdout" | "stderr"): Buffer {
    const own = this.events.filter((event) => event.type === "output" && event.stream === stream);
    return Buffer.concat(own.map((event) => (event.type === "output" ? event.bytes : MISSING)));
  }

  text(stream: "stdout" | "stderr"): string {
    return this.bytes(stream).toString();
  }
}

const MISSING = Buffer.alloc(0);
