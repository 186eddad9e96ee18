import { join } from "node:path";

import type { ContainerOrder, ContainerRuntime } from "../../protocol/container-api.ts";
import type { ContainerFactory, InitContainer } from "../containers/container-factory.ts";
import type { Confinement, ContainerLimits, Isolation } from "../containers/container-options.ts";
import type { Images } from "../containers/images.ts";
import type { SparePool } from "../containers/spare-pool.ts";
import type { Engine } from "../engine/engine.ts";
import type { JournalContainer, JournalRun } from "../journal/journal.ts";
import { log } from "../log.ts";
import type { GrantedNetwork, NetworkGrant } from "../network/granted-network.ts";
import { RUNTIMES } from "../runtimes/runtimes.ts";
import { InitBox } from "./init-box.ts";
import { initJob, stdinOf } from "./order-job.ts";
import { ProgramBox } from "./program-box.ts";
import type { Run } from "./run.ts";
import { SeqFile } from "./seq-file.ts";

/** How the containers of a granted network, or of none, are run. */
export interface EngineRuntimes {
  readonly isolation: Isolation;
  readonly alone: string | null;
  readonly networked: string | null;
}

export interface StarterParts {
  readonly engine: Engine;
  readonly factory: ContainerFactory;
  readonly spares: SparePool;
  /** What spares are made with. */
  readonly spareLimits: ContainerLimits;
  readonly images: Images;
  readonly network: GrantedNetwork;
  readonly runtimes: EngineRuntimes;
  readonly remove: (containerId: string) => Promise<void>;
}

const seqPath = (run: Run): string => join(run.record.folder, "seq");

/** Brings orders into containers: into one that waits, where one fits, else into one made for it. */
export class RunStarter {
  readonly #parts: StarterParts;

  constructor(parts: StarterParts) {
    this.#parts = parts;
  }

  /** A container that waits for just such an order, now the caller's; undefined where there is none. */
  takeSpare(order: ContainerOrder): InitContainer | undefined {
    const { runtime, caps, net } = order;
    const { spareLimits, spares, runtimes } = this.#parts;
    if (runtime === null || net.length > 0) return undefined;
    // A mount's size is fixed with its container, and so are process limits under gVisor.
    if (caps.diskMb !== spareLimits.diskMb) return undefined;
    if (runtimes.isolation === "gvisor" && caps.pids !== spareLimits.pids) return undefined;
    return spares.take(RUNTIMES[runtime].image);
  }

  /** Starts a run; how it goes on is told to it. `spare` is journaled with it already. */
  async start(run: Run, order: ContainerOrder, spare: InitContainer | undefined): Promise<void> {
    const { runtime, image } = order;
    try {
      if (runtime !== null) await this.#startRuntime(run, order, runtime, spare);
      else if (image !== null) await this.#startImage(run, order, image);
    } catch (error) {
      log("run.not-started", { runId: run.runId, error: String(error) });
      run.programEnded({ kind: "none", detail: "its container could not be made", sent: true });
    }
  }

  /** Goes on with a run of an earlier life; false where its container cannot be reached. */
  async adopt(run: Run, journal: JournalRun): Promise<boolean> {
    const { container } = journal;
    if (container === null || container.syncKey === null) return false;
    run.adopt(journal);
    const { runId, net } = journal.spec;
    if (net.length > 0) await this.#parts.network.grant(runId, net);
    const { engine, factory, runtimes } = this.#parts;
    const { id, syncKey } = container;
    return await InitBox.adopt(
      { id, syncKey, isolation: runtimes.isolation, pids: journal.spec.caps.pids },
      { engine, factory, seqs: SeqFile.resume(seqPath(run)), listener: run.listener },
      (box) => {
        run.hold(box);
      },
    );
  }

  async #startRuntime(
    run: Run,
    order: ContainerOrder,
    runtime: ContainerRuntime,
    spare: InitContainer | undefined,
  ): Promise<void> {
    const { engine, factory, runtimes } = this.#parts;
    const grant = await this.#grant(run, order);
    if (grant === "refused") return;
    const container = spare ?? (await this.#coldContainer(run, order, runtime, grant));
    if (container === undefined) return;
    const { id, channel } = container;
    const known: JournalContainer = { id, syncKey: channel.syncKey, spare: spare !== undefined };
    if (spare === undefined) run.sendingTo(known);
    else run.sentTo(known);
    if (run.decidedKill !== null || !(await factory.limit(container, order.caps))) {
      return run.programEnded({ kind: "none", detail: "its limits could not be set", sent: false });
    }
    const job = initJob(order, runtime, runtimes.isolation, grant?.env ?? {});
    const seqs = SeqFile.create(seqPath(run));
    const parts = { engine, factory, seqs, listener: run.listener };
    const { box, fed } = InitBox.start(container, job, stdinOf(order), parts);
    run.hold(box);
    // Lost before it had all: the box hears of the loss by itself.
    await fed.then(
      () => {
        run.fed();
      },
      () => {},
    );
  }

  async #coldContainer(
    run: Run,
    order: ContainerOrder,
    runtime: ContainerRuntime,
    grant: NetworkGrant | null,
  ): Promise<InitContainer | undefined> {
    const { factory, images } = this.#parts;
    const image = images.idOf(RUNTIMES[runtime].image);
    if (image === undefined) {
      run.programEnded({ kind: "none", detail: "its image went away", sent: false });
      return undefined;
    }
    const made = await factory.withInit(image, this.#confinement(order, grant), run.runId);
    if (made.ok) return made.value;
    log("run.no-container", { runId: run.runId, ...made.failure });
    // Without an answer it may be there all the same, under the run's name.
    if (made.failure.kind === "silent") await this.#parts.remove(run.runId);
    run.programEnded({ kind: "none", detail: "its container could not be made", sent: false });
    return undefined;
  }

  async #startImage(run: Run, order: ContainerOrder, image: string): Promise<void> {
    const { engine, factory } = this.#parts;
    const grant = await this.#grant(run, order);
    if (grant === "refused") return;
    const { code, args, env } = order;
    const made = await factory.withProgram(
      image,
      {
        kind: "program",
        entrypoint: code === null ? null : ["sh"],
        args: code === null ? args : ["-c", code, "sh", ...args],
        env: { ...env, ...grant?.env },
      },
      this.#confinement(order, grant),
      run.runId,
    );
    if (!made.ok) {
      log("run.no-container", { runId: run.runId, ...made.failure });
      const sent = made.failure.kind === "silent";
      if (sent) await this.#parts.remove(run.runId);
      return run.programEnded({ kind: "none", detail: "its container could not be made", sent });
    }
    run.sendingTo({ id: made.value.id, syncKey: null, spare: false });
    run.hold(new ProgramBox(engine, made.value, stdinOf(order), run.listener));
  }

  /** null where the order asks for no network; "refused" where the run was told that there is none. */
  async #grant(run: Run, order: ContainerOrder): Promise<NetworkGrant | null | "refused"> {
    if (order.net.length === 0) return null;
    const granted = await this.#parts.network.grant(order.runId, order.net);
    if (granted !== undefined) {
      void run.ended.then(() => {
        this.#parts.network.revoke(order.runId);
      });
      return granted;
    }
    run.programEnded({ kind: "none", detail: "its network could not be made", sent: false });
    return "refused";
  }

  #confinement(order: ContainerOrder, grant: NetworkGrant | null): Confinement {
    const { isolation, alone, networked } = this.#parts.runtimes;
    const { memoryMb, cpus, pids, diskMb } = order.caps;
    return {
      limits: { memoryMb, cpus, pids, diskMb },
      runtime: grant === null ? alone : networked,
      isolation,
      network: grant?.networkId ?? null,
    };
  }
}
