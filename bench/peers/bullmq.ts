import { createRequire } from "node:module";
import { join } from "node:path";

import { z } from "zod";

export const BullmqPlace = z.strictObject({
  /** Where BullMQ is installed. */
  folder: z.string(),
  /** Of Redis, on this machine. */
  port: z.number().int().positive(),
});
export type BullmqPlace = z.infer<typeof BullmqPlace>;

export const QUEUE_NAME = "bench";

/** Jobs that a worker has under way at once: as many as the load has callers. */
export const WORKER_CONCURRENCY = 16;

interface Closable {
  close(): Promise<void>;
}

interface Options {
  readonly connection: {
    readonly host: string;
    readonly port: number;
    readonly maxRetriesPerRequest: null;
  };
}

interface Queue extends Closable {
  add(name: string, data: object, options: object): Promise<unknown>;
}

interface QueueEvents extends Closable {
  on(event: "completed", listener: (told: { readonly jobId: string }) => void): void;
  waitUntilReady(): Promise<unknown>;
}

interface Worker extends Closable {
  waitUntilReady(): Promise<unknown>;
}

/** What is used of BullMQ, which is no dependency and so has no types here. */
interface Bullmq {
  readonly Queue: new (name: string, options: Options) => Queue;
  readonly QueueEvents: new (name: string, options: Options) => QueueEvents;
  readonly Worker: new (
    name: string,
    process: () => Promise<unknown>,
    options: Options & { readonly concurrency: number },
  ) => Worker;
}

/** The installed BullMQ, and how its parts find Redis. */
export function loadBullmq({ folder, port }: BullmqPlace): {
  readonly bullmq: Bullmq;
  readonly options: Options;
} {
  const bullmq = createRequire(join(folder, "package.json"))("bullmq") as Bullmq;
  return {
    bullmq,
    options: { connection: { host: "127.0.0.1", port, maxRetriesPerRequest: null } },
  };
}
