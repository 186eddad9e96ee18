import type { ContainerLane } from "../../gateway/lanes/container.ts";
import type { IsolateJobs } from "../../gateway/lanes/isolate-jobs.ts";
import type { CancelAnswer, JobSpec, JobStart } from "../job-contract.ts";
import { ContainerRun } from "./container-run.ts";
import { IsolateRun } from "./isolate-run.ts";
import { type Attempt, type Phase, retryDelayMs } from "./job-state.ts";
import type { Change, JobStore } from "./job-store.ts";
import type { Peers } from "./peers.ts";
import { readSpecOf } from "./read-spec.ts";
import { resultName, type StepOutcome, stopRun } from "./run-parts.ts";
import { Settling, supersededClosing } from "./settling.ts";
import { isWanted, newDelivery } from "./webhook.ts";

/** Takes a job's runs from step to step, one at a time, from wherever its rows say it is. */
export class JobDriver {
  readonly #store: JobStore;
  readonly #peers: Peers;
  readonly #bucket: R2Bucket;
  readonly #containers: ContainerRun;
  readonly #isolates: IsolateRun;
  readonly #settling: Settling;
  readonly #leaseMs: number;
  #driving: Promise<void> | undefined;
  #detached = false;
  #spec: { readonly epoch: number; readonly read: Promise<JobSpec | undefined> } | undefined;
  /** The epoch of the order that this object itself is about to send for the first time. */
  #fresh: number | undefined;

  constructor(parts: {
    readonly store: JobStore;
    readonly peers: Peers;
    readonly bucket: R2Bucket;
    readonly containers: ContainerLane;
    readonly isolates: IsolateJobs;
    readonly leaseMs: number;
  }) {
    const { store, peers, bucket, leaseMs, containers, isolates } = parts;
    this.#store = store;
    this.#peers = peers;
    this.#bucket = bucket;
    this.#leaseMs = leaseMs;
    const readSpec = () => this.#readSpec();
    const onStarted = (runId: string) => this.#startedChange(runId);
    const shared = { store, readSpec, onStarted };
    this.#containers = new ContainerRun({ ...shared, lane: containers, bucket, leaseMs });
    this.#isolates = new IsolateRun({ ...shared, lane: isolates });
    this.#settling = new Settling({ store, peers, lane: containers, readSpec });
  }

  /** Whether a run, or what it holds, waits for the next step. */
  get hasWork(): boolean {
    const phase = this.#store.record?.phase;
    const isAtRest = phase === undefined || phase.kind === "waiting";
    return !isAtRest || this.#store.closings.length > 0;
  }

  /** Commits a run that was granted; false where it is not new, or the job is over. */
  take({ identity, grant, spec, queueMs }: JobStart): boolean {
    const { record } = this.#store;
    const isOld = record !== undefined && grant.epoch <= record.lastEpoch;
    if (isOld || (record?.over ?? null) !== null) return false;
    const { epoch, lane, executor } = grant;
    const now = Date.now();
    const runId = `${identity.jobId}.${epoch}`;
    const attempt: Attempt = { epoch, runId, lane, executor, at: now, queueMs };
    const phase: Phase = { kind: "starting", attempt, doubtSince: null, stop: null };
    const isFirst = record === undefined;
    const change: Change = {
      record: { identity, spec, phase, lastEpoch: epoch },
      ...(isFirst ? { events: [{ type: "queued", position: identity.position }] } : {}),
    };
    this.#store.commit({ ...change, ...this.#superseded(now) });
    this.#fresh = epoch;
    return true;
  }

  /** Ends the run under way, and says when nothing of it lives. */
  async cancel(reason: string): Promise<CancelAnswer> {
    const phase = this.#store.record?.phase;
    if (phase?.kind !== "starting" && phase?.kind !== "running") return { kind: "not_running" };
    stopRun(this.#store, { kind: "cancel", reason });
    if (phase.attempt.lane === "isolate") {
      this.#isolates.detach();
      return { kind: "under_way" };
    }
    return phase.kind === "running" ? this.#containers.kill() : { kind: "under_way" };
  }

  /** Renews the leases of what runs: at its executor, and at its Lane. */
  async renew(): Promise<void> {
    const phase = this.#store.record?.phase;
    const held = new Map<Attempt["lane"], number[]>();
    const hold = ({ lane, epoch }: Pick<Attempt, "lane" | "epoch">) =>
      held.set(lane, [...(held.get(lane) ?? []), epoch]);
    if (phase !== undefined && "attempt" in phase) hold(phase.attempt);
    for (const closing of this.#store.closings) if (!closing.isFreed) hold(closing);
    const isContainer = phase?.kind === "running" && phase.attempt.lane === "container";
    await Promise.all([
      ...(isContainer ? [this.#containers.renew()] : []),
      ...[...held].map(([lane, epochs]) => this.#peers.renewSlots(lane, epochs)),
    ]);
  }

  /** Goes from step to step until there is none. Joins the one who does so already. */
  drive(): Promise<void> {
    this.#driving ??= this.#drive().finally(() => {
      this.#driving = undefined;
    });
    return this.#driving;
  }

  /** Lets go of all connections, and goes no further. */
  detach(): void {
    this.#detached = true;
    this.#containers.detach();
    this.#isolates.detach();
  }

  async #drive(): Promise<void> {
    let failures = 0;
    while (this.hasWork && !this.#detached) {
      let outcome: StepOutcome;
      try {
        outcome = await this.#step();
      } catch (error) {
        console.error({ event: "job_step_failed", error });
        outcome = "again";
      }
      failures = outcome === "moved" ? 0 : failures + 1;
      if (failures > 0 && this.hasWork) await scheduler.wait(retryDelayMs(failures));
    }
  }

  async #step(): Promise<StepOutcome> {
    const phase = this.#store.record?.phase ?? { kind: "waiting" };
    const now = Date.now();
    const superseded = this.#store.closings.find(({ atExecutor }) => atExecutor === "kill");
    // A run starts only when the one before is dead.
    if (superseded !== undefined) return this.#settling.close(superseded, now);
    switch (phase.kind) {
      case "starting":
        return this.#start(phase, now);
      case "running":
        return this.#runOf(phase.attempt).watch(phase);
      case "ended":
        return this.#settling.settle(phase);
      case "waiting": {
        const [closing] = this.#store.closings;
        return closing === undefined ? "moved" : this.#settling.close(closing, now);
      }
    }
  }

  #start(phase: Extract<Phase, { kind: "starting" }>, now: number): Promise<StepOutcome> {
    const { attempt, doubtSince } = phase;
    // An order that another life of this object may have sent could have arrived.
    const isFresh = this.#fresh === attempt.epoch;
    this.#fresh = undefined;
    const since = doubtSince ?? (isFresh ? null : Math.min(attempt.at, now));
    return this.#runOf(attempt).start({ ...phase, doubtSince: since });
  }

  #runOf({ lane }: Attempt): Pick<ContainerRun, "start" | "watch"> {
    return lane === "isolate" ? this.#isolates : this.#containers;
  }

  /** What becomes of an earlier run that another was granted over the head of. */
  #superseded(now: number): Change {
    const phase = this.#store.record?.phase;
    if (phase === undefined || phase.kind === "waiting") return {};
    this.#containers.detach();
    this.#isolates.detach();
    const droppedValue = resultName(phase.attempt.epoch);
    return { closing: supersededClosing(phase.attempt, now + this.#leaseMs), droppedValue };
  }

  #startedChange(runId: string): Change {
    const { record, deliveries } = this.#store;
    if (record === undefined) return {};
    const now = Date.now();
    const isTold = deliveries.some(({ event }) => event === "started");
    const isToBeTold = !isTold && isWanted(record.identity, "started");
    return {
      record: { startedAt: record.startedAt ?? now },
      ...(isToBeTold ? { delivery: newDelivery("started", runId, now) } : {}),
    };
  }

  #readSpec(): Promise<JobSpec | undefined> {
    const { record } = this.#store;
    if (record?.spec === null || record === undefined) return Promise.resolve(undefined);
    if (this.#spec?.epoch !== record.lastEpoch) {
      const read = readSpecOf(this.#bucket, record.spec);
      this.#spec = { epoch: record.lastEpoch, read };
      read.catch(() => {
        this.#spec = undefined;
      });
    }
    return this.#spec?.read ?? Promise.resolve(undefined);
  }
}
