import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";

import type {
  Grant,
  JobSubmission,
  QueuedLane,
  RunSettlement,
} from "../../../durable-objects/job-contract.ts";
import { JobQueue } from "../../../durable-objects/queue/job-queue.ts";
import { JobRows, QUEUE_MIGRATION } from "../../../durable-objects/queue/job-rows.ts";
import { AGEING_STEP_MS } from "../../../durable-objects/queue/waiting-line.ts";
import { type JobState, RetryRequest } from "../../../protocol/job.ts";
import { seeded } from "./random.ts";
import { submission } from "./support.ts";

const TIMEOUT_MS = 500;
const LANES = ["container", "isolate"] as const;

interface ModelJob {
  readonly submission: JobSubmission;
  readonly seq: number;
  readonly joinedAt: number;
  state: JobState;
  eligibleAt: number;
  since: number;
  epoch: number | null;
  runs: number;
  retries: number;
  losses: number;
  isCancelled: boolean;
}

/** The queue as its rules say it, in the plainest way: a list that is sorted anew each time. */
class Model {
  readonly jobs: ModelJob[] = [];
  readonly answered = new Map<QueuedLane, number>();

  submit(submitted: JobSubmission, now: number): void {
    const joinedAt = Math.max(now, submitted.notBefore ?? now);
    const place = { submission: submitted, seq: this.jobs.length + 1, joinedAt };
    const waits = { state: "queued" as const, eligibleAt: joinedAt, since: joinedAt };
    const counts = { epoch: null, runs: 0, retries: 0, losses: 0, isCancelled: false };
    this.jobs.push({ ...place, ...waits, ...counts });
  }

  line(lane: QueuedLane, now: number): readonly ModelJob[] {
    const rank = ({ joinedAt, submission: { priority } }: ModelJob) =>
      joinedAt - priority * AGEING_STEP_MS;
    return this.jobs
      .filter((job) => job.state === "queued" && job.submission.lane === lane)
      .filter((job) => job.eligibleAt <= now)
      .toSorted((a, b) => rank(a) - rank(b) || a.seq - b.seq);
  }

  running(): readonly ModelJob[] {
    return this.jobs.filter((job) => job.state === "running");
  }

  take({ epoch, lane }: Grant, maxConcurrent: number, now: number): string | null {
    const has = this.running().find((job) => job.epoch === epoch && job.submission.lane === lane);
    if (has !== undefined) return has.submission.jobId;
    if (epoch <= (this.answered.get(lane) ?? 0)) return null;
    this.answered.set(lane, epoch);
    const [head] = this.running().length < maxConcurrent ? this.line(lane, now) : [];
    if (head === undefined) return null;
    Object.assign(head, { state: "running", epoch, runs: head.runs + 1, isCancelled: false });
    return head.submission.jobId;
  }

  settle(job: ModelJob, end: RunSettlement["end"], now: number): void {
    const { retry } = job.submission;
    if (end.kind === "not_taken") {
      job.runs--;
      if (job.isCancelled) job.state = "cancelled";
      else Object.assign(job, { state: "queued", eligibleAt: now + end.retryAfterMs });
      return;
    }
    if (end.outcome === "cancelled" || (end.lost && job.isCancelled)) {
      job.state = "cancelled";
    } else if (end.lost) {
      if (job.losses === retry.onLost) job.state = "dead";
      else this.#again(job, Math.min(60_000, 1_000 * 2 ** job.losses++) * 0.5, now);
    } else if (end.outcome === "failed" && job.retries < retry.attempts && !job.isCancelled) {
      this.#again(job, retry.backoffMs * 2 ** job.retries++ * 0.75, now);
    } else {
      job.state = "done";
    }
  }

  cancel(job: ModelJob): void {
    if (job.state === "queued") job.state = "cancelled";
    if (job.state === "running") job.isCancelled = true;
  }

  expire(now: number): void {
    for (const job of this.jobs) {
      if (job.state !== "queued") continue;
      const { expiresAt } = job.submission;
      const isLate = job.runs === 0 && expiresAt !== null && expiresAt <= now;
      if (isLate || job.since + TIMEOUT_MS <= now) job.state = "expired";
    }
  }

  #again(job: ModelJob, waitMs: number, now: number): void {
    const at = Math.round(now + waitMs);
    Object.assign(job, { state: "queued", eligibleAt: at, since: at });
  }
}

/** Ends of runs, of which a random one is told. */
const ENDS: readonly RunSettlement["end"][] = [
  ...(["ok", "failed", "cancelled"] as const).map((outcome) => ({
    kind: "ended" as const,
    outcome,
    certainty: "certain" as const,
    cpuMs: 0,
    wallMs: 0,
    lost: false,
  })),
  {
    kind: "ended",
    outcome: "infra_lost",
    certainty: "unknown",
    cpuMs: 0,
    wallMs: 0,
    lost: true,
  },
  { kind: "not_taken", retryAfterMs: 20 },
];

it.each(Array.from({ length: 8 }, (_, index) => 1_000 + index * 7_919))(
  "whatever happens to a queue, in whatever order, it is as its rules say (seed %i)",
  (seed) =>
    runInDurableObject(env.CONTROL.getByName(crypto.randomUUID()), (_, state) => {
      const random = seeded(seed);
      const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!;
      QUEUE_MIGRATION(state.storage.sql);
      const rows = new JobRows(state.storage);
      const model = new Model();
      let now = 1_000_000;
      let queue = new JobQueue(rows, TIMEOUT_MS, now);
      let nextEpoch = 1;
      const maxConcurrent = 1 + Math.floor(random() * 5);
      const past: RunSettlement[] = [];

      const submit = () => {
        const batch = Array.from({ length: 1 + Math.floor(random() * 3) }, () =>
          submission({
            lane: pick(LANES),
            priority: Math.floor(random() * 10),
            notBefore: random() < 0.2 ? now + Math.floor(random() * 100) : null,
            expiresAt: random() < 0.2 ? now + Math.floor(random() * 200) : null,
            retry: RetryRequest.parse({ attempts: 1, backoffMs: 40, onLost: 1 }),
          }),
        );
        queue.add(batch, now);
        for (const one of batch) model.submit(one, now);
      };

      const take = () => {
        model.expire(now);
        queue.expire(now);
        const lane = pick(LANES);
        const isRepeated = random() < 0.3;
        const from = isRepeated ? Math.max(1, nextEpoch - 3) : nextEpoch;
        const grants = Array.from({ length: 1 + Math.floor(random() * 3) }, (_, index): Grant => {
          return { epoch: from + index, lane, executor: { name: "e", url: "http://e.test" } };
        });
        nextEpoch = Math.max(nextEpoch, from + grants.length);
        const spare = maxConcurrent - queue.running;
        const answers = queue.take(grants, spare, now);
        expect(answers.map(({ taken }) => taken?.jobId ?? null)).toEqual(
          grants.map((grant) => model.take(grant, maxConcurrent, now)),
        );
      };

      const settle = () => {
        const running = model.running();
        if (running.length === 0) return;
        const job = pick(running);
        const end = pick(ENDS);
        const settlement = { jobId: job.submission.jobId, epoch: job.epoch!, end };
        queue.settle(settlement, now, 0.5);
        model.settle(job, end, now);
        past.push(settlement);
      };

      const repeat = () => {
        // A settlement that came before, or one of another epoch: neither changes anything.
        const old = past.filter(({ jobId, epoch }) => {
          const job = model.jobs.find(({ submission: { jobId: id } }) => id === jobId);
          return job?.state !== "running" || job.epoch !== epoch;
        });
        if (old.length > 0) queue.settle(pick(old), now, random());
      };

      const cancel = () => {
        if (model.jobs.length === 0) return;
        const job = pick(model.jobs);
        model.expire(now);
        queue.expire(now);
        queue.cancel(queue.get(job.submission.jobId)!, "it is a test", now);
        model.cancel(job);
      };

      const tell = () => {
        const owed = [...queue.owed()];
        if (owed.length === 0) return;
        const [jobId, message] = pick(owed);
        queue.told(jobId, message, queue.get(jobId)!.epoch, now);
        if (random() < 0.5) queue.writeTold();
      };

      const evict = () => {
        queue = new JobQueue(rows, TIMEOUT_MS, now);
      };

      const steps = [submit, submit, take, take, take, settle, settle, repeat, cancel, tell, evict];
      for (let step = 0; step < 400; step++) {
        now += Math.floor(random() * 40);
        pick(steps)();
        model.expire(now);
        queue.expire(now);
        for (const job of model.jobs) {
          const { phase, epoch, runs } = queue.get(job.submission.jobId)!;
          const is = { state: phase.state, epoch, runs: runs.length };
          expect(is).toEqual({ state: job.state, epoch: job.epoch, runs: job.runs });
        }
        for (const lane of LANES) {
          const line = model.line(lane, now);
          expect(queue.backlog(lane, Infinity, now)).toBe(line.length);
          const [head] = line;
          if (head === undefined) continue;
          expect(queue.position(queue.get(head.submission.jobId)!, now)).toBe(1);
        }
        expect(queue.running).toBe(model.running().length);
        expect(queue.running).toBeLessThanOrEqual(maxConcurrent);
        const waiting = model.jobs.filter(({ state: is }) => is === "queued").length;
        expect(queue.queued).toBe(waiting);
      }
    }),
);
