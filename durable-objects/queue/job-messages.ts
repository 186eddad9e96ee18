import { Deliveries, RESEND_MS } from "../deliveries.ts";
import { jobObjectName, type JobCalls } from "../job-contract.ts";
import type { JobQueue, OwedMessage } from "./job-queue.ts";
import { identityOf, isOver, isRunning, type JobRecord } from "./job-record.ts";
import type { JobRows } from "./job-rows.ts";

/** Brings to Job objects what the queue owes them, each as often as it takes. */
export class JobMessages {
  readonly #queue: JobQueue;
  readonly #rows: JobRows;
  readonly #tenant: string;
  readonly #jobs: Env["JOB"];
  readonly #deliveries = new Deliveries();

  constructor(queue: JobQueue, rows: JobRows, tenant: string, jobs: Env["JOB"]) {
    this.#queue = queue;
    this.#rows = rows;
    this.#tenant = tenant;
    this.#jobs = jobs;
  }

  /** Sends what has become owed. Each resolves whether its message arrived. */
  sendNew(now: number): readonly Promise<boolean>[] {
    return this.#sendAll(this.#queue.takeUnsent(), now);
  }

  /** Sends all that is owed and may be sent now, also again. */
  sendDue(now: number): readonly Promise<boolean>[] {
    this.#queue.takeUnsent();
    return this.#sendAll(this.#queue.owed().keys(), now);
  }

  /** When to look again; Infinity where nothing is owed. */
  nextDue(now: number): number {
    if (this.#deliveries.isBusy) return now + RESEND_MS;
    let due = Infinity;
    for (const jobId of this.#queue.owed().keys()) {
      due = Math.min(due, this.#deliveries.dueAt(jobId, now));
    }
    return due;
  }

  #sendAll(jobIds: Iterable<string>, now: number): readonly Promise<boolean>[] {
    const sent: Promise<boolean>[] = [];
    for (const jobId of jobIds) {
      const message = this.#queue.owed().get(jobId);
      if (message !== undefined && this.#deliveries.isReady(jobId, now)) {
        sent.push(this.#send(jobId, message));
      }
    }
    return sent;
  }

  async #send(jobId: string, message: OwedMessage): Promise<boolean> {
    const job = this.#queue.get(jobId);
    if (job === undefined) return false;
    const answer = await this.#deliveries.send(jobId, async () => {
      await this.#tell(this.#jobs.getByName(jobObjectName(this.#tenant, jobId)), job, message);
      return true;
    });
    if (answer === undefined) return false;
    this.#queue.told(jobId, message, job.epoch, Date.now());
    return true;
  }

  async #tell(
    stub: { readonly [Call in keyof JobCalls]: (...args: Parameters<JobCalls[Call]>) => unknown },
    job: JobRecord,
    message: OwedMessage,
  ): Promise<void> {
    const identity = identityOf(job, this.#tenant);
    if (isRunning(job) && message === "cancel") {
      await stub.cancel(job.phase.cancelReason ?? "cancelled");
      return;
    }
    const spec = this.#rows.spec(job.seq);
    if (spec === undefined) return;
    if (isRunning(job)) {
      const { grant } = job.phase;
      const queueMs = Date.now() - job.facts.createdAt;
      await stub.start({ identity, grant, spec, queueMs });
    } else if (isOver(job) && job.phase.state !== "done") {
      const { state, endedAt, reason } = job.phase;
      await stub.endInQueue({ identity, spec, state, reason: reason ?? state, at: endedAt });
    }
  }
}
