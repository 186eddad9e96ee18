import type { StreamCut } from "../../gateway/lanes/container.ts";
import type { IsolateJobs } from "../../gateway/lanes/isolate-jobs.ts";
import type { JobEventBody } from "../../protocol/job.ts";
import type { RunLine } from "../../protocol/sandbox-api.ts";
import { EventBatches } from "./event-batches.ts";
import { cancelledEnd, isolateEnd, isolateOverAt, lostEnd, unlinkableEnd } from "./job-result.ts";
import type { Attempt, PhaseOf } from "./job-state.ts";
import type { Change, JobStore } from "./job-store.ts";
import {
  currentPhase,
  endRun,
  endUntaken,
  factsOf,
  type SpecReader,
  type StepOutcome,
} from "./run-parts.ts";

/** An event that is to be written, and whose it is. */
interface Told {
  readonly epoch: number;
  readonly event: Exclude<JobEventBody, { type: "done" }>;
}

/** How soon an executor that nobody reaches is worth another grant; milliseconds. */
const UNREACHED_RETRY_MS = 1_000;

/**
 * Drives one job's runs at sandbox-workers.
 *
 * Such a run lives and dies with the connection that started it: a Job that is made anew ends it
 * and calls it lost, or waits until it is over for sure where the executor is out of reach.
 */
export class IsolateRun {
  readonly #store: JobStore;
  readonly #lane: IsolateJobs;
  readonly #readSpec: SpecReader;
  readonly #onStarted: (runId: string) => Change;
  readonly #batches: EventBatches<Told>;
  #connection: { readonly epoch: number; readonly stop: AbortController } | undefined;

  constructor(parts: {
    readonly store: JobStore;
    readonly lane: IsolateJobs;
    readonly readSpec: SpecReader;
    /** What else to commit with a run's `started`. */
    readonly onStarted: (runId: string) => Change;
  }) {
    this.#store = parts.store;
    this.#lane = parts.lane;
    this.#readSpec = parts.readSpec;
    this.#onStarted = parts.onStarted;
    this.#batches = new EventBatches({
      commit: (events) => this.#commit(events),
      synced: () => this.#store.synced(),
      onFailure: () => this.detach(),
    });
  }

  /** Sends the run and reads it to its end. */
  async start({ attempt, doubtSince, stop }: PhaseOf<"starting">): Promise<StepOutcome> {
    const facts = await factsOf(this.#store, attempt, this.#readSpec);
    if (stop?.kind === "cancel") {
      if (doubtSince !== null) {
        this.#run(attempt);
        return "moved";
      }
      const known = { certainty: "certain", started: false } as const;
      await endRun(this.#store, attempt, cancelledEnd(facts, stop.reason, known));
      return "moved";
    }
    const spec = await this.#readSpec();
    if (spec?.work.lane !== "isolate") {
      const reason = "Cannot start the run: its order is gone";
      await endRun(this.#store, attempt, lostEnd(facts, { kind: "unusable", reason }, false));
      return "moved";
    }
    const { order, work } = spec.work;
    const { runId, executor, epoch } = attempt;
    const connection = { epoch, stop: new AbortController() };
    this.#connection = connection;
    try {
      const started = await this.#lane.start(
        { url: executor.url, runId },
        { ...order, runId, stream: true },
        work,
        connection.stop.signal,
      );
      if (currentPhase(this.#store, "starting", epoch) === undefined) return "moved";
      switch (started.kind) {
        case "taken":
          return await this.#read(attempt, started.lines);
        case "taken_before":
          this.#run(attempt);
          return "moved";
        case "busy":
          endUntaken(this.#store, attempt, started.retryAfterMs);
          return "moved";
        case "unreachable":
          // What broke may have been the answer to a run that has begun by now.
          if ((await this.#lane.end({ url: executor.url, runId })) === "ended") {
            await endRun(this.#store, attempt, lostEnd(facts, { kind: "unknown_there" }));
            return "moved";
          }
          endUntaken(this.#store, attempt, UNREACHED_RETRY_MS);
          return "moved";
        case "unusable":
          await endRun(this.#store, attempt, lostEnd(facts, started, false));
          return "moved";
      }
    } finally {
      this.#connection = undefined;
    }
  }

  /** Ends a run whose connection is gone, or waits until it is over for sure. */
  async watch({ attempt, stop }: PhaseOf<"running">): Promise<StepOutcome> {
    const facts = await factsOf(this.#store, attempt, this.#readSpec);
    const { executor, runId } = attempt;
    const isGone = (await this.#lane.end({ url: executor.url, runId })) !== "unreachable";
    if (stop?.kind === "cancel") {
      const known = { certainty: isGone ? "certain" : "unknown", started: true } as const;
      await endRun(this.#store, attempt, cancelledEnd(facts, stop.reason, known));
      return "moved";
    }
    if (isGone) {
      await endRun(this.#store, attempt, lostEnd(facts, { kind: "unknown_there" }));
      return "moved";
    }
    const spec = await this.#readSpec();
    const wallMs = spec?.work.lane === "isolate" ? spec.work.order.caps.wallMs : 0;
    if (Date.now() < isolateOverAt(attempt, wallMs)) return "again";
    await endRun(this.#store, attempt, lostEnd(facts, { kind: "unreachable" }));
    return "moved";
  }

  /** Ends the run under way by letting go of its connection. */
  detach(): void {
    this.#connection?.stop.abort();
  }

  #run(attempt: Attempt): PhaseOf<"running"> {
    const current = currentPhase(this.#store, "running", attempt.epoch);
    if (current !== undefined) return current;
    const stop = currentPhase(this.#store, "starting", attempt.epoch)?.stop ?? null;
    const renewedAt = Date.now();
    const phase = { kind: "running", attempt, lastSeq: 0, renewedAt, stop, unkept: [] } as const;
    this.#store.commit({ record: { phase } });
    return phase;
  }

  async #read(attempt: Attempt, lines: AsyncGenerator<RunLine, StreamCut>): Promise<StepOutcome> {
    try {
      for (;;) {
        const { done, value } = await lines.next();
        if (done) {
          // Its connection is gone: what is left of it is ended next.
          this.#batches.flush();
          this.#run(attempt);
          return "moved";
        }
        if ("event" in value) await this.#tell(attempt, value);
        else {
          this.#batches.flush();
          const facts = await factsOf(this.#store, attempt, this.#readSpec);
          const ended =
            "end" in value ? isolateEnd(facts, value.end) : unlinkableEnd(facts, value.unlinkable);
          await endRun(this.#store, attempt, ended);
          return "moved";
        }
      }
    } finally {
      await lines.return({ kind: "cut" });
    }
  }

  async #tell(
    { runId, epoch, executor }: Attempt,
    { event }: Extract<RunLine, { event: unknown }>,
  ): Promise<void> {
    if (event.type === "console") {
      const told = { type: "console", ...event.line } as const;
      await this.#batches.add({ epoch, event: told }, event.line.text.length + 128);
    } else {
      const told = { type: "started", runId, epoch, executor: executor.name } as const;
      await this.#batches.add({ epoch, event: told }, 256);
    }
  }

  #commit(told: readonly Told[]): void {
    const phase = this.#store.record?.phase;
    if (phase?.kind !== "starting" && phase?.kind !== "running") return;
    const { attempt, stop } = phase;
    // What is left of an earlier run came too late.
    const own = told.filter(({ epoch }) => epoch === attempt.epoch);
    if (own.length === 0) return;
    const events = own.map(({ event }) => event);
    const isStart = events.some(({ type }) => type === "started");
    const more = isStart ? this.#onStarted(attempt.runId) : {};
    const renewedAt = Date.now();
    const running = { kind: "running", attempt, lastSeq: 0, renewedAt, stop, unkept: [] } as const;
    this.#store.commit({ ...more, record: { ...more.record, phase: running }, events });
  }
}
