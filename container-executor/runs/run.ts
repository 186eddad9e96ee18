import { RENEWED_WITHIN_MS } from "../../protocol/container-api.ts";
import type { ContainerResult, RunStatus } from "../../protocol/container-api.ts";
import type { Journal, JournalContainer, JournalRun } from "../journal/journal.ts";
import { monotonicMs } from "../journal/machine-clock.ts";
import { log } from "../log.ts";
import type { Monitor } from "../monitor/monitor.ts";
import { RUNTIMES } from "../runtimes/runtimes.ts";
import { collect, lostResult } from "./collect.ts";
import type { BoxListener, JobBox } from "./job-box.ts";
import { OutputRecorder } from "./output-recorder.ts";
import type { RunRecord } from "./run-record.ts";
import { moved, STARTING } from "./run-state.ts";
import type { Kill, RunState } from "./run-state.ts";
import { UseSampler } from "./use-sampler.ts";
import type { KillCause, ProgramEnd } from "./verdict.ts";

/** Between SIGTERM and SIGKILL. Milliseconds. */
const GRACE_MS = 1000;

/** Causes that leave a program no time to end in order: it is over what it may already. */
const AT_ONCE: ReadonlySet<KillCause> = new Set(["output", "cpu"]);

/** What runs share. */
export interface RunHouse {
  readonly journal: Journal;
  readonly monitor: Monitor;
  /** Removes a container, and does not rest until it is gone; resolves after the first try. */
  readonly remove: (containerId: string) => Promise<void>;
}

/**
 * One run, from its order to its result. Owns its container from `sendingTo` on: its end removes it.
 *
 * What it tells is on disk first. `ended` fulfils once its result stands and, where it was killed,
 * nothing of it is left; never where it was detached.
 */
export class Run {
  readonly record: RunRecord;
  readonly ended: Promise<ContainerResult>;
  readonly #house: RunHouse;
  readonly #takenAtMs: number;
  readonly #recorder: OutputRecorder;
  readonly #ended = Promise.withResolvers<ContainerResult>();
  #state: RunState = STARTING;
  #container: JournalContainer | undefined;
  #box: JobBox | undefined;
  #sampler: UseSampler | undefined;
  #wallTimer: NodeJS.Timeout | undefined;
  #leaseTimer: NodeJS.Timeout | undefined;
  #result: ContainerResult | null = null;
  #detached = false;

  constructor(house: RunHouse, record: RunRecord, takenAtMs: number) {
    this.#house = house;
    this.record = record;
    this.#takenAtMs = takenAtMs;
    this.ended = this.#ended.promise;
    this.#recorder = OutputRecorder.open(record.folder, record.spec.caps, record.log);
    this.#armLease(RENEWED_WITHIN_MS);
  }

  get runId(): string {
    return this.record.spec.runId;
  }

  get isLive(): boolean {
    return this.#state.kind !== "ended";
  }

  get status(): RunStatus {
    const { kind } = this.#state;
    return {
      runId: this.runId,
      state: kind === "starting" || kind === "ended" ? kind : "running",
      lastSeq: this.record.log.lastSeq,
      outcome: this.#result?.outcome ?? null,
      killMs: this.#result?.usage.killMs ?? null,
    };
  }

  /** Takes over what an earlier life of the service knew of the run. Before its box is held. */
  adopt({ container, startedAtMs, renewedAtMs }: JournalRun): void {
    this.#container = container ?? undefined;
    this.#armLease(Math.max(0, renewedAtMs + RENEWED_WITHIN_MS - monotonicMs()));
    if (startedAtMs !== null) this.#setStarted(startedAtMs);
  }

  /** Says, before the job is sent there, which container the run has; it is the run's from now on. */
  sendingTo(container: JournalContainer): void {
    this.#house.journal.sent(this.runId, container);
    this.#container = container;
  }

  /** The same for a container that the journal knows already. */
  sentTo(container: JournalContainer): void {
    this.#container = container;
  }

  /** The container has all that the run needs: a later life of the service may go on with it. */
  fed(): void {
    if (this.isLive && !this.#detached) this.#house.journal.fed(this.runId);
  }

  /** Gets the program's box, before anything is told of it. */
  hold(box: JobBox): void {
    this.#box = box;
    if (this.#detached) return box.detach();
    const { spec } = this.record;
    this.#sampler = new UseSampler(box, spec.caps, {
      told: (stats) => {
        this.record.log.append({ type: "stats", ...stats });
        this.#house.monitor.observe(this.runId, stats, spec.caps.pids, Date.now());
      },
      overCpu: () => {
        this.kill("cpu");
      },
    });
    const kill = this.decidedKill;
    if (kill !== null) this.#cancel(kill.cause);
  }

  /** The decision to end the run, where there is one: a container that is still made is not to get its job. */
  get decidedKill(): Kill | null {
    return this.#state.kind === "ended" ? null : this.#state.kill;
  }

  /** Told of the program by its box. */
  readonly listener: BoxListener = {
    started: () => {
      if (this.#state.kind !== "starting") return;
      const nowMs = monotonicMs();
      this.#house.journal.started(this.runId, nowMs);
      const startMs = nowMs - this.#takenAtMs;
      const spare = this.#container?.spare === true;
      this.record.log.append({ type: "started", startMs, spare });
      this.#setStarted(nowMs);
    },
    output: (stream, offset, bytes) => {
      if (!this.isLive || this.#detached) return;
      try {
        this.#recorder.take(stream, offset, bytes);
      } catch (error) {
        log("run.output-lost", { runId: this.runId, error: String(error) });
        this.kill("engine");
      }
      if (this.#recorder.over) this.kill("output");
    },
    ended: (end) => {
      this.programEnded(end);
    },
  };

  /** The run may go on for another lease. */
  renew(): void {
    if (!this.isLive) return;
    this.#house.journal.renewed(this.runId, monotonicMs());
    this.#armLease(RENEWED_WITHIN_MS);
    this.#box?.renew();
  }

  /** Decides that the run is to end; the first decision stays. `ended` is the proof that it has. */
  kill(cause: KillCause): void {
    const before = this.#state;
    this.#state = moved(before, { type: "kill", cause, atMs: monotonicMs() });
    if (this.#state === before) return;
    log("run.kill", { runId: this.runId, cause });
    this.#cancel(cause);
  }

  /** Lets go of the run, which goes on without the service: a later life of it goes on with the run. */
  detach(): void {
    if (!this.isLive) return;
    this.#detached = true;
    this.#stopTimers();
    this.#box?.detach();
  }

  /** The program ended, or never began. The first such word counts. */
  programEnded(end: ProgramEnd): void {
    const before = this.#state;
    this.#state = moved(before, { type: "exited", atMs: monotonicMs() });
    if (this.#state === before || this.#detached) return;
    this.#stopTimers();
    this.#finish(end).catch(async (error: unknown) => {
      log("run.broken", { runId: this.runId, error: String(error) });
      await this.#removeContainer();
      this.#tellEnd(lostResult(this.runId, "its end could not be kept", true));
    });
  }

  async #finish(end: ProgramEnd): Promise<void> {
    const result = await this.#collect(end, this.#box);
    if (this.#detached) return;
    const isKilled = result.usage.killMs !== null || end.kind !== "init";
    // Told of a kill, whoever asked for it may count on nothing being left.
    if (isKilled) await this.#removeContainer();
    this.#tellEnd(result);
    if (!isKilled) await this.#removeContainer();
  }

  async #collect(end: ProgramEnd, box: JobBox | undefined): Promise<ContainerResult> {
    if (this.#state.kind !== "collecting") throw new TypeError("Cannot collect: it has not exited");
    const { spec, folder } = this.record;
    const { kill, startedAtMs, exitedAtMs } = this.#state;
    return await collect({
      spec,
      folder,
      codePath: spec.runtime === null ? null : RUNTIMES[spec.runtime].codePath,
      recorder: this.#recorder,
      box,
      end,
      cause: kill?.cause ?? null,
      times: {
        takenAtMs: this.#takenAtMs,
        startedAtMs,
        exitedAtMs,
        killedAtMs: kill?.atMs ?? null,
      },
      seen: { cpuMs: this.#sampler?.cpuMs ?? 0, peakBytes: this.#sampler?.peakBytes ?? 0 },
    });
  }

  #tellEnd(result: ContainerResult): void {
    this.#result = result;
    this.#house.journal.ended(this.runId, result);
    this.record.tellEnd(result);
    this.#recorder.close();
    this.#state = moved(this.#state, { type: "ended" });
    this.#ended.resolve(result);
  }

  async #removeContainer(): Promise<void> {
    this.#box?.close();
    if (this.#container !== undefined) await this.#house.remove(this.#container.id);
  }

  #cancel(cause: KillCause): void {
    this.#box?.cancel(AT_ONCE.has(cause) ? 0 : GRACE_MS);
  }

  #setStarted(atMs: number): void {
    this.#state = moved(this.#state, { type: "started", atMs });
    const leftMs = atMs + this.record.spec.caps.wallMs - monotonicMs();
    this.#wallTimer = setTimeout(
      () => {
        this.kill("wall");
      },
      Math.max(0, leftMs),
    );
  }

  #armLease(leftMs: number): void {
    clearTimeout(this.#leaseTimer);
    this.#leaseTimer = setTimeout(() => {
      this.kill("lease");
    }, leftMs);
  }

  #stopTimers(): void {
    clearTimeout(this.#wallTimer);
    clearTimeout(this.#leaseTimer);
    this.#sampler?.stop();
  }
}
