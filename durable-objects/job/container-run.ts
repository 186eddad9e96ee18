import type { ContainerLane, NoAnswer, RunAddress } from "../../gateway/lanes/container.ts";
import { SIGNATURE_WINDOW_MS } from "../../protocol/signature.ts";
import type { CancelAnswer } from "../job-contract.ts";
import { orderFiles } from "./artifacts.ts";
import { ContainerEvents } from "./container-events.ts";
import { cancelledEnd, failedBeforeStart, lostEnd, refusedEnd } from "./job-result.ts";
import {
  type Attempt,
  decideStart,
  decideWatch,
  type Loss,
  type PhaseOf,
  type WatchDecision,
} from "./job-state.ts";
import type { Change, JobStore } from "./job-store.ts";
import {
  currentPhase,
  endRun,
  endUntaken,
  factsOf,
  type SpecReader,
  type StepOutcome,
  stopRun,
} from "./run-parts.ts";

/** What a run may take beyond its own time: to fetch its image and start, and to hand over its files. Milliseconds. */
const OVERDUE_ALLOWANCE_MS = 30 * 60_000;

/** What another run cannot have reached yet. Milliseconds. */
const fencedAt = (doubtSince: number): number => doubtSince + SIGNATURE_WINDOW_MS;

/**
 * Drives one job's runs at container-executors, from the order to the run's end.
 *
 * Nothing that matters lives only here: a Job that is made anew goes on from the phase in its rows.
 */
export class ContainerRun {
  readonly #store: JobStore;
  readonly #lane: ContainerLane;
  readonly #bucket: R2Bucket;
  readonly #readSpec: SpecReader;
  readonly #leaseMs: number;
  readonly #events: ContainerEvents;
  /** The event stream that is being read. */
  #stream = new AbortController();
  /** Since when the stream cannot be read. */
  #unusableSince: number | undefined;

  constructor(parts: {
    readonly store: JobStore;
    readonly lane: ContainerLane;
    readonly bucket: R2Bucket;
    readonly readSpec: SpecReader;
    readonly leaseMs: number;
    /** What else to commit with a run's `started`. */
    readonly onStarted: (runId: string) => Change;
  }) {
    this.#store = parts.store;
    this.#lane = parts.lane;
    this.#bucket = parts.bucket;
    this.#readSpec = parts.readSpec;
    this.#leaseMs = parts.leaseMs;
    this.#events = new ContainerEvents({
      ...parts,
      onFailure: (error) => this.#stream.abort(error),
    });
  }

  /** Sends the order, and notes what became of it. */
  async start({ attempt, doubtSince, stop }: PhaseOf<"starting">): Promise<StepOutcome> {
    if (stop !== null) return this.#stopBeforeTaken(attempt, doubtSince);
    const facts = await factsOf(this.#store, attempt, this.#readSpec);
    const spec = await this.#readSpec();
    if (spec?.work.lane !== "container") {
      const reason = "Cannot start the run: its order is gone";
      await endRun(this.#store, attempt, lostEnd(facts, { kind: "unusable", reason }, false));
      return "moved";
    }
    const { order, files: specFiles } = spec.work;
    const { tenant } = facts.identity;
    const read = await orderFiles(this.#bucket, tenant, specFiles);
    if (read.kind === "missing") {
      await endRun(this.#store, attempt, failedBeforeStart(facts, read.name, read.message));
      return "moved";
    }
    const files = [...read.files];
    const sent = await this.#lane.order(addressOf(attempt), {
      ...order,
      runId: attempt.runId,
      files,
    });
    const phase = currentPhase(this.#store, "starting", attempt.epoch);
    if (phase === undefined) return "moved";
    const now = Date.now();
    const decision = decideStart({ doubtSince }, sent, now, this.#leaseMs);
    switch (decision.kind) {
      case "run":
        this.#run(phase, now);
        return "moved";
      case "again":
        this.#store.commit({ record: { phase: { ...phase, doubtSince: decision.doubtSince } } });
        return "again";
      case "not_taken":
        endUntaken(this.#store, attempt, decision.retryAfterMs);
        return "moved";
      case "refused":
        await endRun(this.#store, attempt, refusedEnd(facts, decision.refusal));
        return "moved";
      case "lost":
        await endRun(
          this.#store,
          attempt,
          lostEnd(facts, decision.loss, decision.loss.kind !== "unusable"),
        );
        return "moved";
    }
  }

  /** Reads the run's events until its end, or until the stream is cut. */
  async watch(phase: PhaseOf<"running">): Promise<StepOutcome> {
    const { attempt, stop } = phase;
    if (stop !== null) await this.kill();
    if (!this.#isRunning(attempt)) return "moved";
    this.#stream = new AbortController();
    const run = addressOf(attempt);
    const stream = this.#lane.events(run, phase.lastSeq, this.#stream.signal);
    let heard = false;
    try {
      for (;;) {
        const { done, value } = await stream.next();
        if (done) {
          this.#events.flush();
          if (!this.#isRunning(attempt)) return "moved";
          return await this.#decide(attempt, value, heard);
        }
        heard = true;
        this.#unusableSince = undefined;
        const isRead = await this.#events.take(attempt, value);
        if (isRead !== "next") return isRead;
      }
    } finally {
      await stream.return({ kind: "cut" });
    }
  }

  /** Tells the executor that the run may go on. Its lease is what it confirms. */
  async renew(): Promise<void> {
    const phase = this.#store.record?.phase;
    if (phase?.kind !== "running") return;
    const { attempt } = phase;
    const spec = await this.#readSpec();
    const wallMs = spec?.work.lane === "container" ? spec.work.order.caps.wallMs : 0;
    const limitMs = wallMs + OVERDUE_ALLOWANCE_MS;
    if (Date.now() - attempt.at > limitMs) {
      stopRun(this.#store, { kind: "overdue", limitMs });
      this.#stream.abort();
      return;
    }
    const answer = await this.#lane.renew(addressOf(attempt));
    const current = currentPhase(this.#store, "running", attempt.epoch);
    if (current === undefined) return;
    if (answer.kind === "done") {
      this.#store.commit({ record: { phase: { ...current, renewedAt: Date.now() } } });
      return;
    }
    const decision = decideWatch(current, answer, Date.now(), this.#leaseMs);
    if (decision.kind === "attach") return;
    await this.#obey(attempt, decision);
    this.#stream.abort();
  }

  /** Kills the run that has to stop; its own end comes by its events. Safe to repeat. */
  async kill(): Promise<CancelAnswer> {
    const phase = this.#store.record?.phase;
    if (phase?.kind !== "running" || phase.stop === null) return { kind: "under_way" };
    const { attempt, stop } = phase;
    const answer = await this.#lane.kill(addressOf(attempt));
    const current = currentPhase(this.#store, "running", attempt.epoch);
    if (answer.kind === "ended") {
      if (current !== undefined && stop.kind !== "cancel") await this.#lose(attempt, stop);
      return answer;
    }
    if (current === undefined) return { kind: "ended", killMs: null };
    const decision = decideWatch(current, answer, Date.now(), this.#leaseMs);
    if (decision.kind === "attach") return { kind: "under_way" };
    await this.#obey(attempt, decision);
    return { kind: "ended", killMs: null };
  }

  /** Lets go of the stream; the run goes on. */
  detach(): void {
    this.#stream.abort();
  }

  #isRunning({ epoch }: Attempt): boolean {
    return currentPhase(this.#store, "running", epoch) !== undefined;
  }

  #run({ attempt, stop }: PhaseOf<"starting">, now: number): void {
    const phase = {
      kind: "running",
      attempt,
      lastSeq: 0,
      renewedAt: now,
      stop,
      unkept: [],
    } as const;
    this.#store.commit({ record: { phase } });
  }

  /** A run that is to stop before its executor confirmed it. */
  async #stopBeforeTaken(attempt: Attempt, doubtSince: number | null): Promise<StepOutcome> {
    const now = Date.now();
    const answer: NoAnswer | { readonly kind: "ended" } =
      doubtSince === null ? { kind: "unknown" } : await this.#lane.kill(addressOf(attempt));
    const phase = currentPhase(this.#store, "starting", attempt.epoch);
    if (phase === undefined) return "moved";
    if (answer.kind === "ended") {
      this.#run(phase, now);
      return "moved";
    }
    if (doubtSince !== null && now < fencedAt(doubtSince)) return "again";
    if (answer.kind !== "unknown" && doubtSince !== null && now - doubtSince < this.#leaseMs) {
      return "again";
    }
    const reason = stopReason(phase);
    const isKnown = answer.kind === "unknown";
    const facts = await factsOf(this.#store, attempt, this.#readSpec);
    const known = { certainty: isKnown ? "certain" : "unknown", started: !isKnown } as const;
    await endRun(this.#store, attempt, cancelledEnd(facts, reason, known));
    return "moved";
  }

  async #decide(
    attempt: Attempt,
    cut: Parameters<typeof decideWatch>[1],
    heard: boolean,
  ): Promise<StepOutcome> {
    const phase = currentPhase(this.#store, "running", attempt.epoch);
    if (phase === undefined) return "moved";
    const now = Date.now();
    if (cut.kind === "unusable") {
      // Its lease is renewed all the while, so that does not end it.
      this.#unusableSince ??= now;
      if (now - this.#unusableSince >= this.#leaseMs) stopRun(this.#store, cut);
    }
    const decision = decideWatch(phase, cut, now, this.#leaseMs);
    if (decision.kind === "attach") return heard ? "moved" : "again";
    await this.#obey(attempt, decision);
    return "moved";
  }

  async #obey(
    attempt: Attempt,
    decision: Exclude<WatchDecision, { kind: "attach" }>,
  ): Promise<void> {
    switch (decision.kind) {
      case "kill":
        stopRun(this.#store, decision.stop);
        return;
      case "cancelled": {
        this.#events.flush();
        const facts = await factsOf(this.#store, attempt, this.#readSpec);
        const { certainty, reason } = decision;
        await endRun(
          this.#store,
          attempt,
          cancelledEnd(facts, reason, { certainty, started: true }),
        );
        return;
      }
      case "lost":
        await this.#lose(attempt, decision.loss);
    }
  }

  async #lose(attempt: Attempt, loss: Loss): Promise<void> {
    this.#events.flush();
    const facts = await factsOf(this.#store, attempt, this.#readSpec);
    await endRun(this.#store, attempt, lostEnd(facts, loss));
  }
}

const addressOf = ({ executor, runId }: Attempt): RunAddress => ({ url: executor.url, runId });

const stopReason = ({ stop }: Pick<PhaseOf<"starting">, "stop">): string =>
  stop?.kind === "cancel" ? stop.reason : "the run was stopped";
