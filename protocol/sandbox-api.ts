import { z } from "zod";

import { TENANT_ID } from "./api-key.ts";
import { Certainty, Outcome } from "./outcome.ts";

/**
 * What a gateway and a sandbox-worker say to each other.
 *
 * A run is sent as two lines: the order, which the sandbox-worker reads, and the work, which it
 * passes to a cage unread. The answer is NDJSON: any number of `event` lines, then one `end` line.
 * An answer without an `end` line is a lost run.
 *
 * The head of a 200 goes out before any of the run's code starts. So a connection that is lost
 * before the head has started nothing, and the gateway may try the run elsewhere. Empty lines are
 * heartbeats. A client that leaves closes the connection, and with it the run.
 *
 * `POST /v1/runs` runs whatever it is sent. `PUT /v1/runs/{runId}` is for a job's run: the same id
 * never starts twice, and is answered 409 from the second time on. `DELETE` of it answers once
 * nothing of the run lives: 204, or 404 where this sandbox-worker does not know it. Its cages die
 * with it, so after a restart it knows none, and none lives.
 */
export const RUN_CONTENT_TYPE = "application/x-ndjson";

/** Why an executor took no work: signals for routing, never failures. Value of `Bulkhead-Refusal`. */
export const REFUSAL_HEADER = "Bulkhead-Refusal";
export const Refusal = z.enum(["full", "draining", "not-ready"]);
export type Refusal = z.infer<typeof Refusal>;

const RUN_ID = /^[a-zA-Z0-9_]{1,64}(?:\.[0-9]{1,15})?$/;

/**
 * `run`: a fresh isolate. `tenant`: the tenant's isolate, a fresh context. `warm`: the same code
 * keeps its module instance between runs.
 */
export const Isolation = z.enum(["run", "tenant", "warm"]);
export type Isolation = z.infer<typeof Isolation>;

const count = z.number().int().nonnegative();

/** What a run may use. Every one has a finite value; the gateway has decided them all. */
export const RunCaps = z.strictObject({
  /** From the start of the run to its end, waiting included. */
  wallMs: z.number().int().min(10),
  cpuMs: z.number().int().min(1),
  memoryMb: z.number().int().min(16),
  /** Of standard output and standard error together; what is over keeps head and tail. */
  outputBytes: count,
  /** Of the encoded result. */
  resultBytes: count,
  /** Outgoing requests that one run may start. */
  fetches: count,
  /** Of one fetch, from its start to the end of its body. */
  fetchMs: z.number().int().min(1),
  /** Of response bodies, all fetches of a run together. */
  fetchBytes: count,
  /** Timers, fetches and other host work that may be under way at once. */
  pendingOps: count,
});
export type RunCaps = z.infer<typeof RunCaps>;

/** First line of a run: who, and within what. All a sandbox-worker needs to place the run. */
export const RunOrder = z.strictObject({
  runId: z.string().regex(RUN_ID),
  tenant: z.string().regex(TENANT_ID),
  /** Runs that the tenant may have under way here at once; the gateway's cap, checked again. 0: no cap. */
  tenantMaxConcurrent: count,
  isolation: Isolation,
  caps: RunCaps,
  /** Hosts that `fetch` may reach; empty for none. */
  net: z.array(z.string()),
  /** Whether `event` lines are wanted while the run goes on. */
  stream: z.boolean(),
  /** For `warm` runs, SHA-256 in hex of what the instance is keyed by, so that a run finds its cage. */
  affinity: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .nullable(),
});
export type RunOrder = z.infer<typeof RunOrder>;

/** The request that a `{ fetch(request) }` handler is called with. */
export const GuestRequest = z.strictObject({
  method: z
    .string()
    .regex(/^[A-Za-z]{1,20}$/)
    .default("GET"),
  url: z.url().max(8192).default("http://localhost/"),
  headers: z.record(z.string().max(256), z.string().max(8192)).default({}),
  body: z.string().nullable().default(null),
});
export type GuestRequest = z.infer<typeof GuestRequest>;

/** Second line of a run: the tenant's work. Read only inside the tenant's own cage. */
export interface RunWork {
  readonly language: "javascript" | "typescript";
  /** The entry module's path, and every module's source by path (`main.ts`, `lib/a.ts`, `data.json`). */
  readonly entry: string;
  readonly modules: Readonly<Record<string, string>>;
  /** Exact JSON text of the input; null where none was given. */
  readonly inputJson: string | null;
  readonly request: GuestRequest | null;
  readonly env: Readonly<Record<string, string>>;
}

export const ConsoleLevel = z.enum(["debug", "log", "info", "warn", "error", "trace"]);
export type ConsoleLevel = z.infer<typeof ConsoleLevel>;

/** One thing a guest said. `debug`, `log`, `info` are stdout, the others stderr. */
export const ConsoleLine = z.strictObject({
  level: ConsoleLevel,
  stream: z.enum(["stdout", "stderr"]),
  /** Milliseconds since the run began. */
  atMs: z.number().nonnegative(),
  text: z.string(),
});
export type ConsoleLine = z.infer<typeof ConsoleLine>;

/** What a guest's error was. Positions in `stack` are those of the source as it was sent. */
export const RunError = z.strictObject({
  name: z.string(),
  message: z.string(),
  stack: z.string().nullable(),
});
export type RunError = z.infer<typeof RunError>;

/** How JSON text carries a value: as it is, or with `$type` tags where JSON alone cannot. */
export const Encoding = z.enum(["json", "tagged"]);
export type Encoding = z.infer<typeof Encoding>;

/** What was cut from the output, null where nothing was. The text keeps head and tail. */
export const Truncation = z.strictObject({
  stdoutBytes: count,
  stderrBytes: count,
});
export type Truncation = z.infer<typeof Truncation>;

/** How a run ended at the executor. */
export const ExecutorResult = z.strictObject({
  runId: z.string(),
  outcome: Outcome,
  certainty: Certainty,
  /** Whether any of the tenant's code may have run. */
  started: z.boolean(),
  /** JSON text, to be spliced into the answer unread; null unless `ok`. */
  valueJson: z.string().nullable(),
  encoding: Encoding.nullable(),
  error: RunError.nullable(),
  stdout: z.string(),
  stderr: z.string(),
  console: z.array(ConsoleLine),
  truncated: Truncation.nullable(),
  usage: z.strictObject({
    /** Waiting for a cage. */
    queueMs: z.number().nonnegative(),
    wallMs: z.number().nonnegative(),
    cpuMs: z.number().nonnegative(),
    /** The most the guest's heap and buffers held, as far as it was seen; 0 where it was not. */
    memoryPeakBytes: count,
    fetches: count,
  }),
});
export type ExecutorResult = z.infer<typeof ExecutorResult>;

/** A module that isolates cannot link; found before the first statement ran. */
export const Unlinkable = z.strictObject({ specifier: z.string(), importer: z.string() });
export type Unlinkable = z.infer<typeof Unlinkable>;

/** One line of the answer. */
export const RunLine = z.union([
  z.strictObject({ event: z.strictObject({ type: z.literal("console"), line: ConsoleLine }) }),
  z.strictObject({ event: z.strictObject({ type: z.literal("started"), queueMs: z.number() }) }),
  /** `end` with a result, or with the reason why this lane cannot run the work. */
  z.strictObject({ end: ExecutorResult }),
  z.strictObject({ unlinkable: Unlinkable }),
]);
export type RunLine = z.infer<typeof RunLine>;

/** `GET /readyz` of a sandbox-worker: 200 when `ready`, else 503. */
export const SandboxReadiness = z.object({
  ready: z.boolean(),
  reason: z.string().nullable(),
  bootId: z.string(),
  draining: z.boolean(),
  inFlight: count,
  queued: count,
  cages: z.object({ live: count, spares: count, busy: count, max: count }),
  /** Which walls stand around a cage on this machine, by name. */
  protections: z.record(z.string(), z.boolean()),
});
export type SandboxReadiness = z.infer<typeof SandboxReadiness>;

/** `GET /v1/runtimes` of a sandbox-worker. */
export const SandboxRuntimes = z.object({
  runtimes: z.array(
    z.object({
      language: z.string(),
      version: z.string(),
      lane: z.literal("isolate"),
      engine: z.string(),
    }),
  ),
});
export type SandboxRuntimes = z.infer<typeof SandboxRuntimes>;
