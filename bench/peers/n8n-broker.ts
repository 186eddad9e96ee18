import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

import { z } from "zod";

import { JOB_BODY, JOB_INPUT, JOB_OUTPUT } from "../job.ts";
import { type Served, serveLoads } from "../load/serve-loads.ts";
import { N8N_RUNNER } from "./install-peer.ts";

/**
 * n8n's task runner at work, with this process in the part of n8n's own: the least broker that its
 * websocket protocol allows.
 *
 * The runner offers to take tasks; the broker accepts an offer with a task's id, the runner accepts
 * the task, the broker sends its settings, the runner sends its result. Of its ways to run code this is
 * the one with the fewest messages (`runCode`: a fresh `node:vm` context in the one process, no
 * workflow data to ask for).
 */
export const N8nTarget = z.strictObject({
  /** Where the runner is installed. */
  folder: z.string(),
  /** Tasks it may have under way at once. */
  maxConcurrency: z.number().int().positive(),
});
export type N8nTarget = z.infer<typeof N8nTarget>;

const START_TIMEOUT_MS = 30_000;

const FromRunner = z.discriminatedUnion("type", [
  z.object({ type: z.literal("runner:info") }),
  z.object({
    type: z.literal("runner:taskoffer"),
    offerId: z.string(),
    /** Milliseconds from now. */
    validFor: z.number(),
  }),
  z.object({ type: z.literal("runner:taskaccepted"), taskId: z.string() }),
  z.object({ type: z.literal("runner:taskrejected"), taskId: z.string(), reason: z.string() }),
  z.object({
    type: z.literal("runner:taskdone"),
    taskId: z.string(),
    data: z.object({ result: z.unknown() }),
  }),
  z.object({ type: z.literal("runner:taskerror"), taskId: z.string(), error: z.unknown() }),
]);

/** What is used of a websocket of `ws`, which comes with the runner's packages. */
interface Socket {
  send(text: string): void;
  on(event: "message", listener: (data: Buffer) => void): void;
}

interface SocketServer {
  on(event: "connection", listener: (socket: Socket) => void): void;
}

type SocketServerClass = new (options: { server: Server }) => SocketServer;

const SETTINGS = {
  code: JOB_BODY,
  nodeMode: "runCode",
  workflowMode: "manual",
  continueOnFail: false,
  additionalProperties: { input: JSON.parse(JOB_INPUT) as unknown },
};

class Broker {
  readonly #offers: { readonly offerId: string; readonly until: number }[] = [];
  readonly #waiting: PromiseWithResolvers<unknown>[] = [];
  readonly #tasks = new Map<string, PromiseWithResolvers<unknown>>();
  readonly #registered = Promise.withResolvers<void>();
  #socket: Socket | undefined;
  #taskCount = 0;

  /** Settles once the runner has introduced itself. */
  get registered(): Promise<void> {
    return this.#registered.promise;
  }

  attach(socket: Socket): void {
    this.#socket = socket;
    socket.on("message", (data) => this.#hear(FromRunner.parse(JSON.parse(data.toString()))));
    this.#tell({ type: "broker:inforequest" });
  }

  /** One task, to its result. */
  run(): Promise<unknown> {
    const task = Promise.withResolvers<unknown>();
    this.#place(task);
    return task.promise;
  }

  #place(task: PromiseWithResolvers<unknown>): void {
    const now = performance.now();
    while ((this.#offers[0]?.until ?? now) < now) this.#offers.shift();
    const offer = this.#offers.shift();
    if (offer === undefined) this.#waiting.push(task);
    else this.#accept(offer.offerId, task);
  }

  #accept(offerId: string, task: PromiseWithResolvers<unknown>): void {
    const taskId = `task-${this.#taskCount++}`;
    this.#tasks.set(taskId, task);
    this.#tell({ type: "broker:taskofferaccept", taskId, offerId });
  }

  #hear(message: z.infer<typeof FromRunner>): void {
    switch (message.type) {
      case "runner:info":
        this.#tell({ type: "broker:runnerregistered" });
        this.#registered.resolve();
        return;
      case "runner:taskoffer": {
        const task = this.#waiting.shift();
        const { offerId, validFor } = message;
        if (task !== undefined) this.#accept(offerId, task);
        else this.#offers.push({ offerId, until: performance.now() + validFor });
        return;
      }
      case "runner:taskaccepted":
        this.#tell({ type: "broker:tasksettings", taskId: message.taskId, settings: SETTINGS });
        return;
      case "runner:taskdone":
        this.#taken(message.taskId).resolve(message.data.result);
        return;
      case "runner:taskrejected":
        // Its offer lapsed while the two crossed.
        this.#place(this.#taken(message.taskId));
        return;
      case "runner:taskerror":
        this.#taken(message.taskId).reject(
          new Error(`Cannot run at n8n: ${JSON.stringify(message.error).slice(0, 300)}`),
        );
    }
  }

  #taken(taskId: string): PromiseWithResolvers<unknown> {
    const task = this.#tasks.get(taskId);
    if (task === undefined) throw new TypeError(`Cannot find task "${taskId}"`);
    this.#tasks.delete(taskId);
    return task;
  }

  #tell(message: object): void {
    this.#socket?.send(JSON.stringify(message));
  }
}

async function open(given: unknown): Promise<Served<unknown>> {
  const { folder, maxConcurrency } = N8nTarget.parse(given);
  const ofRunner = createRequire(join(folder, "package.json"));
  const { WebSocketServer } = ofRunner("ws") as { WebSocketServer: SocketServerClass };
  const server = createServer();
  const broker = new Broker();
  new WebSocketServer({ server }).on("connection", (socket) => broker.attach(socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const runner = startRunner(folder, maxConcurrency, (server.address() as AddressInfo).port);
  const close = async () => {
    server.close();
    if (runner.exitCode !== null || runner.signalCode !== null) return;
    runner.kill("SIGKILL");
    await once(runner, "exit");
  };
  try {
    await beforeDeadline(broker.registered, runner);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    ...(runner.pid === undefined ? {} : { measuredPid: runner.pid }),
    call: () => broker.run(),
    check(result) {
      if (JSON.stringify(result) !== JOB_OUTPUT)
        throw new Error("Cannot use an answer of n8n: it is wrong");
      return {};
    },
    close,
  };
}

/** As n8n itself starts it, but for where it finds its broker. */
function startRunner(folder: string, maxConcurrency: number, port: number): ChildProcess {
  const entry = join(folder, "node_modules", N8N_RUNNER.name, "dist/start.js");
  const options = ["--disallow-code-generation-from-strings", "--disable-proto=delete"];
  return spawn(process.execPath, [...options, entry], {
    stdio: ["ignore", "ignore", 2],
    env: {
      ...(process.env["PATH"] === undefined ? {} : { PATH: process.env["PATH"] }),
      N8N_RUNNERS_TASK_BROKER_URI: `http://127.0.0.1:${port}`,
      N8N_RUNNERS_GRANT_TOKEN: "bench",
      N8N_RUNNERS_MAX_CONCURRENCY: String(maxConcurrency),
    },
  });
}

async function beforeDeadline(registered: Promise<void>, runner: ChildProcess): Promise<void> {
  const waiting = new AbortController();
  const signal = AbortSignal.any([waiting.signal, AbortSignal.timeout(START_TIMEOUT_MS)]);
  try {
    await Promise.race([
      registered,
      once(runner, "exit", { signal }).then(([code]) => {
        throw new Error(`Cannot start n8n's task runner: it ended with ${String(code)}`);
      }),
    ]);
  } finally {
    waiting.abort();
  }
}

serveLoads(open);
