import type { InitChannel, InitEvent } from "../channel/init-channel.ts";
import type { InitJob } from "../channel/init-job.ts";
import type { Cgroup } from "../containers/cgroup.ts";
import type { ContainerFactory, InitContainer } from "../containers/container-factory.ts";
import type { Isolation } from "../containers/container-options.ts";
import type { Engine } from "../engine/engine.ts";
import { log } from "../log.ts";
import type { BoxLeavings, BoxListener, BoxUse, JobBox } from "./job-box.ts";
import type { SeqFile } from "./seq-file.ts";
import type { CgroupEvidence, ProgramEnd } from "./verdict.ts";

/** After the grace, how long init may take to say that all is dead before the engine kills the container. */
const INIT_ANSWER_MS = 2000;
/** What the limit counts in a container and its init's own look does not: init, and what it has forked. */
const INIT_PROCESSES = 2;
/** A connection to a container that runs on is made again so often. */
const RESUMES_MAX = 3;

interface BoxParts {
  readonly engine: Engine;
  readonly factory: ContainerFactory;
  readonly seqs: SeqFile;
  readonly listener: BoxListener;
}

/** What a box has to know of its container beside its id. */
interface Walls {
  readonly isolation: Isolation;
  /** The job's own limit of processes. */
  readonly pids: number | null;
}

interface Held extends Walls {
  readonly id: string;
  readonly channel: InitChannel;
  readonly cgroup: Cgroup | undefined;
}

/**
 * A runtime image's container: its init starts the job, watches it, and tells what it does until
 * that is acknowledged. A connection that breaks is made again; where the container is gone, the
 * engine's word stands for init's.
 */
export class InitBox implements JobBox {
  readonly containerId: string;
  readonly #parts: BoxParts;
  readonly #cgroup: Cgroup | undefined;
  readonly #walls: Walls;
  #channel: InitChannel;
  #killTimer: NodeJS.Timeout | undefined;
  #resumes = 0;
  #pidsPeak = 0;
  #ended = false;
  #closed = false;

  private constructor(held: Held, parts: BoxParts) {
    this.containerId = held.id;
    this.#parts = parts;
    this.#channel = held.channel;
    this.#cgroup = held.cgroup;
    this.#walls = held;
    this.#watch(held.channel);
  }

  /** Gives the container its one job, and its input. Resolves once it has all; rejects where it was lost before. */
  static start(
    container: InitContainer,
    job: InitJob,
    stdin: Buffer,
    parts: BoxParts,
  ): { readonly box: InitBox; readonly fed: Promise<void> } {
    const { channel } = container;
    const box = new InitBox({ ...container, pids: container.limits.pids }, parts);
    const feed = async (): Promise<void> => {
      await channel.start(job, (event) => {
        box.#onEvent(event);
      });
      if (stdin.byteLength > 0) await channel.writeStdin(stdin);
      channel.endStdin();
    };
    return { box, fed: feed() };
  }

  /**
   * Finds the job of an earlier life of the service again; `hold` gets the
   * box before anything is told. False where its container cannot be reached.
   */
  static async adopt(
    found: Walls & { readonly id: string; readonly syncKey: Uint8Array },
    parts: BoxParts,
    hold: (box: InitBox) => void,
  ): Promise<boolean> {
    // Init may tell before the box is there to hear.
    const early: InitEvent[] = [];
    let hear = (event: InitEvent): void => {
      early.push(event);
    };
    const resumed = await parts.factory.resumed(found.id, {
      syncKey: found.syncKey,
      ackedSeq: parts.seqs.seq,
      onEvent: (event) => {
        hear(event);
      },
    });
    if (resumed === undefined) return false;
    const box = new InitBox({ ...found, ...resumed }, parts);
    hold(box);
    hear = (event) => {
      box.#onEvent(event);
    };
    for (const event of early) box.#onEvent(event);
    return true;
  }

  get leavings(): BoxLeavings {
    return this.#channel;
  }

  cancel(graceMs: number): void {
    this.#channel.cancel(graceMs);
    clearTimeout(this.#killTimer);
    this.#killTimer = setTimeout(() => {
      log("run.killed-by-engine", { container: this.containerId });
      // The end of the container ends the channel, which is then looked into.
      void this.#parts.engine.kill(this.containerId, "SIGKILL");
    }, graceMs + INIT_ANSWER_MS);
  }

  renew(): void {
    this.#channel.renew();
  }

  async use(): Promise<BoxUse | undefined> {
    // A gVisor sandbox's control group holds the sandbox itself, too.
    if (this.#walls.isolation === "namespaces" && this.#cgroup !== undefined) {
      return await this.#cgroup.use();
    }
    const use = await this.#channel.stats().catch(() => undefined);
    this.#pidsPeak = Math.max(this.#pidsPeak, use?.pids ?? 0);
    return use;
  }

  async evidence(): Promise<CgroupEvidence | null> {
    const counted = (await this.#cgroup?.use()) ?? null;
    const { isolation, pids } = this.#walls;
    if (isolation === "namespaces" || pids === null) return counted;
    // Nobody counts what a gVisor sandbox refuses: as many processes as may be is the evidence.
    const pidsRefused = this.#pidsPeak >= pids - INIT_PROCESSES ? 1 : 0;
    return { oomKills: counted?.oomKills ?? 0, pidsRefused };
  }

  detach(): void {
    this.#closed = true;
    clearTimeout(this.#killTimer);
    this.#channel.detach();
    this.#parts.seqs.close();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#killTimer);
    this.#channel.bye();
    this.#parts.seqs.close();
  }

  #onEvent(event: InitEvent): void {
    if (this.#ended || this.#closed) return;
    const { listener, seqs } = this.#parts;
    switch (event.type) {
      case "started":
        listener.started();
        break;
      case "output":
        listener.output(event.stream, event.offset, event.bytes);
        break;
      case "exit":
        // Not acknowledged: a later life of the service is told again, unless the container is gone.
        this.#end({ kind: "init", exit: event.exit });
        return;
    }
    seqs.set(event.seq);
    this.#channel.ack(event.seq);
  }

  #watch(channel: InitChannel): void {
    void channel.closed.then(async (closed) => {
      if (closed.cause === "lost" && !this.#ended && !this.#closed) {
        await this.#lost(closed.reason);
      }
    });
  }

  /** Looks why the connection ended: the container did, or the connection alone. */
  async #lost(reason: string): Promise<void> {
    const { engine, factory, seqs } = this.#parts;
    const state = await engine.inspect(this.containerId);
    if (state.ok && !state.value.running) {
      const { exitCode, oomKilled } = state.value;
      return this.#end({ kind: "engine", exitCode, oomKilled, ownProgram: false });
    }
    const missing = !state.ok && state.failure.kind === "missing";
    this.#resumes++;
    if (!missing && this.#resumes <= RESUMES_MAX) {
      const resumed = await factory.resumed(this.containerId, {
        syncKey: this.#channel.syncKey,
        ackedSeq: seqs.seq,
        onEvent: (event) => {
          this.#onEvent(event);
        },
      });
      if (resumed !== undefined && !this.#closed) {
        this.#channel = resumed.channel;
        return this.#watch(resumed.channel);
      }
      resumed?.channel.detach();
      if (!this.#closed) return await this.#lost(reason);
      return;
    }
    // It may run on unseen: it is to be dead before the run's end is told.
    await engine.remove(this.containerId);
    this.#end({ kind: "none", detail: reason, sent: true });
  }

  #end(end: ProgramEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#killTimer);
    this.#parts.listener.ended(end);
  }
}
