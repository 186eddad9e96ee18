import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

import { type Served, serveLoads } from "../load/serve-loads.ts";
import { BullmqPlace, loadBullmq, QUEUE_NAME } from "./bullmq.ts";

/** As many as Bulkhead keeps of a tenant's, as shipped. */
const KEPT = { count: 10_000 };

/**
 * Adds jobs to BullMQ and waits for each one's completion, told by its events' stream: one listener for
 * all jobs, which is quicker than `waitUntilFinished`. The worker is a process of its own, as it is deployed.
 */
async function open(given: unknown): Promise<Served<void>> {
  const place = BullmqPlace.parse(given);
  const worker = await startWorker(place);
  const { bullmq, options } = loadBullmq(place);
  const queue = new bullmq.Queue(QUEUE_NAME, options);
  const events = new bullmq.QueueEvents(QUEUE_NAME, options);
  const waiting = new Map<string, () => void>();
  events.on("completed", ({ jobId }) => {
    waiting.get(jobId)?.();
    waiting.delete(jobId);
  });
  await events.waitUntilReady();
  return {
    ...(worker.pid === undefined ? {} : { measuredPid: worker.pid }),
    async call(turn) {
      const jobId = `job-${process.pid}-${turn}`;
      const completed = new Promise<void>((resolve) => waiting.set(jobId, resolve));
      await queue.add("no-op", {}, { jobId, removeOnComplete: KEPT });
      await completed;
    },
    check: () => ({}),
    async close() {
      await Promise.all([queue.close(), events.close()]);
      if (worker.exitCode !== null || worker.signalCode !== null) return;
      const ended = once(worker, "exit");
      worker.kill("SIGKILL");
      await ended;
    },
  };
}

async function startWorker(place: BullmqPlace): Promise<ChildProcess> {
  const entry = new URL("./bullmq-worker.ts", import.meta.url);
  const worker = fork(fileURLToPath(entry), [], { stdio: ["ignore", 2, 2, "ipc"] });
  worker.send(place);
  const waiting = new AbortController();
  try {
    await Promise.race([
      once(worker, "message", waiting),
      once(worker, "exit", waiting).then(([code]) => {
        throw new Error(`Cannot start BullMQ's worker: it ended with ${String(code)}`);
      }),
    ]);
    return worker;
  } finally {
    waiting.abort();
  }
}

serveLoads(open);
