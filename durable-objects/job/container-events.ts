import type { ContainerLane } from "../../gateway/lanes/container.ts";
import type { ContainerEvent } from "../../protocol/container-api.ts";
import { storeArtifact } from "./artifacts.ts";
import { jobEventOf, statsOf } from "./container-event-map.ts";
import { EventBatches } from "./event-batches.ts";
import { containerEnd, type UnkeptArtifact } from "./job-result.ts";
import type { Attempt } from "./job-state.ts";
import type { Change, JobStore } from "./job-store.ts";
import { currentPhase, endRun, factsOf, type SpecReader, type StepOutcome } from "./run-parts.ts";

/** An event that is to be written, and the executor's number of it. */
interface Read {
  readonly epoch: number;
  readonly event: Exclude<ContainerEvent, { type: "end" }>;
  readonly unkept: UnkeptArtifact | undefined;
}

/** Tries to store one artifact, the pauses between them growing, before the run goes on without it. */
const ARTIFACT_TRIES = 20;

/** How many unkept artifacts a result names. */
const UNKEPT_MAX = 100;

/** Writes what a container-executor tells of a run: each event once, its files before their event. */
export class ContainerEvents {
  readonly #store: JobStore;
  readonly #lane: ContainerLane;
  readonly #bucket: R2Bucket;
  readonly #readSpec: SpecReader;
  readonly #onStarted: (runId: string) => Change;
  readonly #batches: EventBatches<Read>;
  #artifactFailures = 0;

  constructor(parts: {
    readonly store: JobStore;
    readonly lane: ContainerLane;
    readonly bucket: R2Bucket;
    readonly readSpec: SpecReader;
    /** What else to commit with a run's `started`. */
    readonly onStarted: (runId: string) => Change;
    /** Events that were taken could not be written. */
    readonly onFailure: (error: unknown) => void;
  }) {
    this.#store = parts.store;
    this.#lane = parts.lane;
    this.#bucket = parts.bucket;
    this.#readSpec = parts.readSpec;
    this.#onStarted = parts.onStarted;
    this.#batches = new EventBatches({
      commit: (reads) => this.#commit(reads),
      synced: () => this.#store.synced(),
      onFailure: parts.onFailure,
    });
  }

  /** Commits what was taken. */
  flush(): void {
    this.#batches.flush();
  }

  /** Takes one event: `next` where more are to be read. Wait for it before the next. */
  async take(attempt: Attempt, event: ContainerEvent): Promise<StepOutcome | "next"> {
    const phase = currentPhase(this.#store, "running", attempt.epoch);
    if (phase === undefined) return "moved";
    if (event.type === "end") {
      this.#batches.flush();
      const facts = await factsOf(this.#store, attempt, this.#readSpec);
      const { unkept } = currentPhase(this.#store, "running", attempt.epoch) ?? phase;
      await endRun(this.#store, attempt, containerEnd(facts, event.result, unkept));
      return "moved";
    }
    let unkept: UnkeptArtifact | undefined;
    if (event.type === "artifact") {
      const { identity } = await factsOf(this.#store, attempt, this.#readSpec);
      const parts = { lane: this.#lane, bucket: this.#bucket };
      const stored = await storeArtifact(
        parts,
        identity,
        { url: attempt.executor.url, runId: attempt.runId },
        event.artifact,
      );
      const isHopeless = ++this.#artifactFailures > ARTIFACT_TRIES;
      // The stream is read again from before this event.
      if (stored.kind === "unreachable" && !isHopeless) {
        this.#batches.flush();
        return "again";
      }
      this.#artifactFailures = 0;
      if (stored.kind !== "stored") {
        const reason = stored.kind === "unkept" ? stored.reason : "it cannot be stored";
        unkept = { path: event.artifact.path, reason };
      }
    }
    const chars = "data" in event ? event.data.length + 128 : 256;
    await this.#batches.add({ epoch: attempt.epoch, event, unkept }, chars);
    return "next";
  }

  #commit(reads: readonly Read[]): void {
    const { record } = this.#store;
    if (record?.phase.kind !== "running") return;
    const { phase } = record;
    // What is left of an earlier run came too late.
    const own = reads.filter(({ epoch }) => epoch === phase.attempt.epoch);
    const last = own.at(-1);
    if (last === undefined) return;
    // An event that the log has came twice: the stream was cut between its commit and the next.
    const fresh = own.filter(({ event }) => event.seq > phase.lastSeq);
    const told = fresh.filter(({ unkept }) => unkept === undefined);
    const unkept = fresh.flatMap((one) => (one.unkept === undefined ? [] : [one.unkept]));
    const stats = fresh.findLast(({ event }) => event.type === "stats")?.event;
    const isStart = fresh.some(({ event }) => event.type === "started");
    const more = isStart ? this.#onStarted(phase.attempt.runId) : {};
    this.#store.commit({
      ...more,
      record: {
        ...more.record,
        phase: {
          ...phase,
          lastSeq: Math.max(phase.lastSeq, last.event.seq),
          unkept: [...phase.unkept, ...unkept].slice(0, UNKEPT_MAX),
        },
        ...(stats?.type === "stats" ? { stats: statsOf(stats) } : {}),
      },
      events: told.map(({ event }) => jobEventOf(phase.attempt, event)),
    });
  }
}
