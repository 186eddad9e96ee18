import { env } from "cloudflare:workers";
import { vi } from "vitest";

import type {
  JobDetails,
  JobIdentity,
  JobSpec,
  JobStart,
  LaneSettlement,
  RunSettlement,
  SettleAnswer,
} from "../../../durable-objects/job-contract.ts";
import { jobObjectName } from "../../../durable-objects/job-contract.ts";
import { Peers } from "../../../durable-objects/job/peers.ts";
import type { ContainerEvent, ContainerResult } from "../../../protocol/container-api.ts";
import type { JobEvent } from "../../../protocol/job.ts";
import { parseSignature, SIGNATURE_HEADER } from "../../../protocol/signature.ts";

const ALPHABET = "abcdefghijklmnopqrstuvwxyz234567";
const randomId = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(26)), (byte) => ALPHABET[byte % 32]).join("");

export const containerSpec = (changes: Partial<JobSpec> = {}): JobSpec => ({
  work: {
    lane: "container",
    order: {
      tenant: "acme",
      runtime: "bash",
      image: null,
      code: "echo hi",
      inputJson: null,
      args: [],
      env: {},
      stdin: null,
      artifacts: [],
      caps: {
        wallMs: 60_000,
        cpuMs: null,
        memoryMb: 64,
        cpus: 1,
        pids: 64,
        diskMb: 16,
        outputBytes: 1_000_000,
        outputFileBytes: 1_000_000,
        artifactFiles: 10,
        artifactBytes: 1_000_000,
      },
      net: [],
    },
    files: [],
  },
  route: { lane: "container", reason: "asked for" },
  limits: { wallMs: { value: 60_000, setBy: "CONTAINER_WALL_MS" } },
  reachesOutside: false,
  ...changes,
});

export const isolateSpec = (wallMs = 5_000): JobSpec => ({
  work: {
    lane: "isolate",
    order: {
      tenant: "acme",
      tenantMaxConcurrent: 0,
      isolation: "run",
      caps: {
        wallMs,
        cpuMs: 1_000,
        memoryMb: 64,
        outputBytes: 1_000,
        resultBytes: 1_000,
        fetches: 0,
        fetchMs: 1,
        fetchBytes: 0,
        pendingOps: 10,
      },
      net: [],
      affinity: null,
    },
    work: {
      language: "javascript",
      entry: "main.js",
      modules: { "main.js": "export default 1" },
      inputJson: null,
      request: null,
      env: {},
    },
  },
  route: { lane: "isolate", reason: "asked for" },
  limits: {},
  reachesOutside: false,
});

const containerResult = (changes: Partial<ContainerResult> = {}): ContainerResult => ({
  runId: "",
  outcome: "ok",
  certainty: "certain",
  started: true,
  exitCode: 0,
  signal: null,
  valueJson: null,
  error: null,
  stdout: "",
  stderr: "",
  truncated: null,
  artifacts: [],
  artifactsLeft: [],
  usage: { startMs: 1, wallMs: 5, cpuMs: 2, memoryPeakBytes: 1_000, killMs: null },
  ...changes,
});

type Body = ContainerEvent extends infer E
  ? E extends ContainerEvent
    ? Omit<E, "seq" | "atMs">
    : never
  : never;

export const STARTED: Body = { type: "started", startMs: 1, spare: true };
export const stdout = (data: string, offset = 0): Body => ({
  type: "stdout",
  offset,
  data,
  encoding: "utf8",
});
export const ENDED = (changes: Partial<ContainerResult> = {}): Body => ({
  type: "end",
  result: containerResult(changes),
});

interface PlayedRun {
  readonly events: ContainerEvent[];
  readonly artifacts: Map<string, Uint8Array>;
  killed: boolean;
  acked: boolean;
}

export interface SeenCall {
  readonly method: string;
  readonly path: string;
  readonly body: string;
}

type Answer = Response | Error | undefined;

let executors = 0;
const encoder = new TextEncoder();

/**
 * Plays a container-executor to show faults that a real one cannot be made to show. Keeps the
 * protocol's promises but for what a test takes away.
 */
export class PlayedExecutor {
  readonly url = `http://executor-${++executors}.test`;
  readonly seen: SeenCall[] = [];
  readonly runs = new Map<string, PlayedRun>();
  bootId = "boot-1";
  down = false;
  /** Answers in place of the executor, where it answers at all. */
  instead: ((call: SeenCall) => Answer | Promise<Answer>) | undefined;
  /** What a taken run tells at once. */
  script: readonly Body[] = [];
  #cuts = 0;

  calls(method: string, ending = ""): readonly SeenCall[] {
    return this.seen.filter((call) => call.method === method && call.path.endsWith(ending));
  }

  get starts(): number {
    return [...this.runs.values()].length;
  }

  get run(): PlayedRun {
    const [run] = [...this.runs.values()].slice(-1);
    if (run === undefined) throw new Error("no run was taken");
    return run;
  }

  tell(...bodies: readonly Body[]): void {
    const { events } = this.run;
    for (const body of bodies) {
      events.push({ seq: events.length + 1, atMs: 1, ...body } as ContainerEvent);
    }
  }

  /** Cuts all event streams that are open. */
  cut(): void {
    this.#cuts++;
  }

  async answer(request: Request): Promise<Response> {
    const { pathname, search, searchParams } = new URL(request.url);
    const body = await request.text();
    const call = { method: request.method, path: decodeURIComponent(pathname) + search, body };
    if (this.down) throw new Error("Network connection lost.");
    const boot = parseSignature(request.headers.get(SIGNATURE_HEADER) ?? "")?.bootId;
    if (boot !== this.bootId) {
      return new Response(null, { status: 401, headers: { "Bulkhead-Boot": this.bootId } });
    }
    this.seen.push(call);
    const instead = await this.instead?.(call);
    if (instead instanceof Error) throw instead;
    if (instead !== undefined) return instead;
    const [, , , runId = "", what = "", ...rest] = decodeURIComponent(pathname).split("/");
    if (request.method === "PUT") return this.take(runId);
    const run = this.runs.get(runId);
    if (run === undefined || run.acked) return new Response(null, { status: 404 });
    if (what === "events") {
      return this.#follow(run, Number(searchParams.get("after")), request.signal);
    }
    if (what === "renew") return new Response(null, { status: 204 });
    if (what === "artifacts") {
      const bytes = run.artifacts.get(rest.join("/"));
      return bytes === undefined ? new Response(null, { status: 404 }) : new Response(bytes);
    }
    if (what === "ack") {
      run.acked = true;
      return new Response(null, { status: 204 });
    }
    if (request.method === "DELETE") {
      if (!run.killed) {
        run.killed = true;
        this.tell(ENDED({ outcome: "cancelled" }));
      }
      return Response.json({
        runId,
        state: "ended",
        lastSeq: run.events.length,
        outcome: "cancelled",
        killMs: 12,
      });
    }
    return new Response(null, { status: 405 });
  }

  take(runId: string): Response {
    if (this.runs.has(runId)) return new Response(null, { status: 200 });
    this.runs.set(runId, {
      events: [],
      artifacts: new Map(),
      killed: false,
      acked: false,
    });
    this.tell(...this.script);
    return new Response(null, { status: 201 });
  }

  /**
   * A stream lives in the object that reads it, and may be written from there alone: so it looks
   * for what the test told meanwhile.
   */
  #follow(run: PlayedRun, after: number, signal: AbortSignal): Response {
    const cuts = this.#cuts;
    let told = after;
    let isOpen = true;
    const body = new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        const isCut = () => signal.aborted || cuts !== this.#cuts;
        while (isOpen && told >= run.events.length && !isCut()) await scheduler.wait(2);
        if (isCut()) {
          controller.error(new Error("connection lost"));
          return;
        }
        for (const event of run.events.slice(told)) {
          controller.enqueue(encoder.encode(`${JSON.stringify(event)}\n`));
        }
        told = run.events.length;
      },
      cancel() {
        isOpen = false;
      },
    });
    return new Response(body);
  }
}

/** Hosts that answer, by origin; all others cannot be reached. */
const hosts = new Map<string, (request: Request) => Promise<Response>>();

/** Puts the played hosts where `fetch` finds them. */
export function playHosts(): void {
  vi.spyOn(globalThis, "fetch").mockImplementation(async (target, init) => {
    const request = new Request(target as string, init as RequestInit);
    const host = hosts.get(new URL(request.url).origin);
    if (host === undefined) throw new Error("Network connection lost.");
    const answer = await host(request);
    init?.signal?.addEventListener("abort", () => void answer.body?.cancel().catch(() => {}));
    return answer;
  });
}

export const playHost = (origin: string, host: (request: Request) => Promise<Response>): void => {
  hosts.set(origin, host);
};

export function playExecutor(): PlayedExecutor {
  const executor = new PlayedExecutor();
  playHost(executor.url, (request) => executor.answer(request));
  return executor;
}

/** Tenant and Lane, recording what they are told. */
export interface PlayedPeers {
  readonly settled: RunSettlement[];
  readonly freed: LaneSettlement[];
  readonly renewed: number[];
  readonly cancelled: string[];
  answer: (settlement: RunSettlement) => SettleAnswer | undefined;
  /** Comes before (`true`) and after each call is heeded. */
  around: (call: "settleRun" | "freeSlot", isBefore: boolean) => Promise<void>;
}

export function playPeers(): PlayedPeers {
  const peers: PlayedPeers = {
    settled: [],
    freed: [],
    renewed: [],
    cancelled: [],
    answer: () => ({ kind: "final", state: "done", reason: null }),
    around: async () => {},
  };
  vi.spyOn(Peers.prototype, "settleRun").mockImplementation(async (_, settlement) => {
    await peers.around("settleRun", true);
    peers.settled.push(settlement);
    await peers.around("settleRun", false);
    return peers.answer(settlement);
  });
  vi.spyOn(Peers.prototype, "freeSlot").mockImplementation(async (_, settlement) => {
    await peers.around("freeSlot", true);
    peers.freed.push(settlement);
    await peers.around("freeSlot", false);
    return true;
  });
  vi.spyOn(Peers.prototype, "renewSlots").mockImplementation(async (_, epochs) => {
    peers.renewed.push(...epochs);
    return true;
  });
  vi.spyOn(Peers.prototype, "cancelJob").mockImplementation(async (_tenant, _job, reason) => {
    peers.cancelled.push(reason);
    return true;
  });
  return peers;
}

let epochs = 0;

/** A job that was not started yet, and what its Tenant would say to start it. */
export function newJob(
  executor: { readonly url: string },
  spec: JobSpec = containerSpec(),
  changes: Partial<JobIdentity> = {},
) {
  const { lane } = spec.work;
  const jobId = `job_${randomId()}`;
  const identity: JobIdentity = {
    tenant: "acme",
    jobId,
    lane,
    createdAt: Date.now(),
    position: 1,
    callback: null,
    ...changes,
  };
  const nextStart = (): JobStart => ({
    identity,
    grant: { epoch: ++epochs, lane, executor: { name: "executor-1", url: executor.url } },
    spec: { kind: "inline", text: JSON.stringify(spec) },
    queueMs: 3,
  });
  const name = jobObjectName("acme", jobId);
  // A fresh stub each time: one that met an eviction goes on failing.
  return { identity, nextStart, job: () => env.JOB.getByName(name) };
}

export type TestJob = ReturnType<typeof newJob>;

/** What the job knows of itself; a result's value is of any type, which stubs cannot tell. */
export async function detailsOf(test: TestJob): Promise<JobDetails> {
  const job = test.job() as unknown as { details(): Promise<JobDetails> };
  return job.details();
}

/** All events that the job's log has now, from a cursor on that it still has. */
export async function eventsOf(test: TestJob): Promise<readonly JobEvent[]> {
  const events: JobEvent[] = [];
  for (let after = 0; ;) {
    const page = await test.job().events(after);
    if (page.kind !== "page") throw new Error(`the log begins at ${page.oldest}`);
    if (page.events.length === 0) return events;
    events.push(...page.events.map((text) => JSON.parse(text)));
    after = page.last;
  }
}

export const typesOf = async (test: TestJob): Promise<readonly string[]> =>
  (await eventsOf(test)).map(({ type }) => type);

/** Waits until the job's log has its `done`. */
export async function doneOf(test: TestJob): Promise<Extract<JobEvent, { type: "done" }>> {
  await vi.waitFor(
    async () => {
      const { resultText } = await detailsOf(test);
      if (resultText === null) throw new Error("the job is not over");
    },
    { timeout: 20_000 },
  );
  const last = (await eventsOf(test)).at(-1);
  if (last?.type !== "done") throw new Error(`the last event is ${last?.type}`);
  return last;
}

/** What a stream has to say, in full. */
export const textOf = (body: ReadableStream<Uint8Array>): Promise<string> =>
  new Response(body).text();
