import { BullmqPlace, loadBullmq, QUEUE_NAME, WORKER_CONCURRENCY } from "./bullmq.ts";

/** A process that does BullMQ's jobs, which are to do nothing. Says "ready" once, and ends with its parent. */
process.once("message", (given) => {
  const { bullmq, options } = loadBullmq(BullmqPlace.parse(given));
  const worker = new bullmq.Worker(QUEUE_NAME, () => Promise.resolve(1), {
    ...options,
    concurrency: WORKER_CONCURRENCY,
  });
  process.once("disconnect", () => process.exit(0));
  worker.waitUntilReady().then(
    () => process.send?.("ready"),
    () => process.exit(1),
  );
});
