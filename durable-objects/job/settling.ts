import type { ContainerLane } from "../../gateway/lanes/container.ts";
import type { LaneSettlement, SettleAnswer } from "../job-contract.ts";
import { cancelledEnd, deadText, type EndedRun, lostEnd } from "./job-result.ts";
import type { Closing } from "./job-rows.ts";
import type { Attempt, PhaseOf, RunEnd } from "./job-state.ts";
import type { Change, JobStore } from "./job-store.ts";
import type { Peers } from "./peers.ts";
import {
  currentPhase,
  factsOf,
  resultName,
  type SpecReader,
  type StepOutcome,
} from "./run-parts.ts";
import { isWanted, newDelivery } from "./webhook.ts";

const WAITING = { kind: "waiting" } as const;

/** Settles runs: with the Tenant, then with the executor and the Lane. Each step is one commit. */
export class Settling {
  readonly #store: JobStore;
  readonly #peers: Peers;
  readonly #lane: ContainerLane;
  readonly #readSpec: SpecReader;

  constructor(parts: {
    readonly store: JobStore;
    readonly peers: Peers;
    readonly lane: ContainerLane;
    readonly readSpec: SpecReader;
  }) {
    this.#store = parts.store;
    this.#peers = parts.peers;
    this.#lane = parts.lane;
    this.#readSpec = parts.readSpec;
  }

  /** Tells the Tenant how a run ended, and writes what it makes of it: `done`, `retry` or nothing. */
  async settle({ attempt, end }: PhaseOf<"ended">): Promise<StepOutcome> {
    const { identity } = await factsOf(this.#store, attempt, this.#readSpec);
    const { tenant, jobId } = identity;
    const { epoch } = attempt;
    const answer = await this.#peers.settleRun(tenant, { jobId, epoch, end: settlementOf(end) });
    if (answer === undefined) return "again";
    const change = await this.#changeOf(attempt, end, answer);
    if (currentPhase(this.#store, "ended", epoch) === undefined) return "moved";
    const closing = closingOf(attempt, end);
    this.#store.commit({ ...change, closing, record: { phase: WAITING, ...change.record } });
    // `done` is on disk before the executor forgets what it was made of.
    await this.#store.synced();
    return "moved";
  }

  /** Frees what a settled run still holds, at its executor and at its Lane. */
  async close(closing: Closing, now: number): Promise<StepOutcome> {
    const run = { url: closing.executor.url, runId: closing.runId };
    if (closing.atExecutor === "kill") {
      const killed = await this.#lane.kill(run);
      const isOver = killed.kind === "ended" || killed.kind === "unknown";
      if (!isOver && now < closing.deadBy) return "again";
      this.#store.commit({ closing: { ...closing, atExecutor: "ack" } });
      return "moved";
    }
    const [acked, freed] = await Promise.all([
      closing.atExecutor === "nothing" ? { kind: "done" } : this.#lane.ack(run),
      closing.isFreed || this.#peers.freeSlot(closing.lane, closing.settlement),
    ]);
    const isAcked = acked.kind !== "unreachable" || now >= closing.ackUntil;
    if (isAcked && freed) {
      this.#store.commit({ closed: closing.epoch });
      return "moved";
    }
    if (freed !== closing.isFreed || isAcked) {
      const atExecutor = isAcked ? "nothing" : closing.atExecutor;
      this.#store.commit({ closing: { ...closing, isFreed: freed, atExecutor } });
    }
    return "again";
  }

  async #changeOf(attempt: Attempt, end: RunEnd, answer: SettleAnswer): Promise<Change> {
    const { runId, epoch } = attempt;
    switch (answer.kind) {
      case "stale":
        return { droppedValue: resultName(epoch) };
      case "retry": {
        if (end.kind === "not_taken") return {};
        const { outcome, certainty } = end;
        const notBefore = new Date(answer.notBefore).toISOString();
        const event = { type: "retry", runId, outcome, certainty, notBefore } as const;
        return { events: [event], droppedValue: resultName(epoch) };
      }
      case "final": {
        const text = await this.#finalText(attempt, end, answer);
        const valueName = resultName(epoch);
        const value = await this.#store.values.place(valueName, text);
        return doneChange(this.#store, { state: answer.state, runId, value });
      }
    }
  }

  async #finalText(
    attempt: Attempt,
    end: RunEnd,
    { state, reason }: Extract<SettleAnswer, { kind: "final" }>,
  ): Promise<string> {
    const text = await this.#store.values.load(resultName(attempt.epoch));
    if (text !== undefined && end.kind === "result") {
      return state === "dead" && end.outcome === "infra_lost" ? deadText(text) : text;
    }
    const facts = await factsOf(this.#store, attempt, this.#readSpec);
    const known = { certainty: "certain", started: false } as const;
    const ended: EndedRun =
      state === "cancelled"
        ? cancelledEnd(facts, reason ?? "cancelled", known)
        : lostEnd(facts, { kind: "unusable", reason: reason ?? "no executor took it" }, false);
    return ended.text;
  }
}

/** The change that ends a job, unless it has ended. */
export function doneChange(
  store: JobStore,
  done: {
    readonly state: NonNullable<NonNullable<JobStore["record"]>["over"]>["state"];
    readonly runId: string | null;
    readonly value: { readonly name: string; readonly text: string | null };
  },
): Change {
  const { record } = store;
  if (record === undefined || record.over !== null) return {};
  const { state, runId, value } = done;
  const now = Date.now();
  const delivery = newDelivery("done", runId, now);
  return {
    record: { over: { state, at: now } },
    value,
    done: { state, valueName: value.name },
    ...(isWanted(record.identity, "done") ? { delivery } : {}),
  };
}

/** How long a record is asked to be freed at an executor that is out of reach; milliseconds. */
const ACK_TRIED_MS = 10 * 60_000;

function closingOf(attempt: Attempt, end: RunEnd): Closing {
  const { epoch, runId, lane, executor } = attempt;
  const wasTaken = end.kind === "result" && lane === "container";
  const settlement: LaneSettlement = {
    epoch,
    costMs: end.kind === "result" ? end.wallMs : 0,
    avoidExecutorMs: end.kind === "not_taken" ? end.retryAfterMs : null,
  };
  const now = Date.now();
  const atExecutor = wasTaken ? "ack" : "nothing";
  const ackUntil = now + ACK_TRIED_MS;
  return {
    epoch,
    runId,
    lane,
    executor,
    atExecutor,
    settlement,
    isFreed: false,
    ackUntil,
    deadBy: now,
  };
}

/** What frees a run that another was granted over the head of. */
export function supersededClosing(attempt: Attempt, deadBy: number): Closing {
  const end = { kind: "not_taken", retryAfterMs: 0 } as const;
  const settlement = { epoch: attempt.epoch, costMs: 0, avoidExecutorMs: null };
  const atExecutor = attempt.lane === "container" ? "kill" : "nothing";
  return { ...closingOf(attempt, end), atExecutor, settlement, deadBy };
}

function settlementOf(end: RunEnd) {
  if (end.kind === "not_taken") return end;
  const { outcome, certainty, cpuMs, wallMs, lost } = end;
  return { kind: "ended", outcome, certainty, cpuMs, wallMs, lost } as const;
}
