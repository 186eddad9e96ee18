import { randomUUID } from "node:crypto";

import type {
  ExecutorResult,
  RunCaps,
  RunLine,
  RunOrder,
  RunWork,
  SandboxReadiness,
} from "../../protocol/sandbox-api.ts";
import { SIGNATURE_HEADER } from "../../protocol/signature.ts";
import { signRequest, startServiceProcess } from "./service-process.ts";

/** The gateway's defaults. */
const CAPS: RunCaps = {
  wallMs: 5000,
  cpuMs: 1000,
  memoryMb: 64,
  outputBytes: 1024 * 1024,
  resultBytes: 1024 * 1024,
  fetches: 20,
  fetchMs: 5000,
  fetchBytes: 10 * 1024 * 1024,
  pendingOps: 1000,
};

/** What a test says of an order; the rest is the default. */
export type OrderPart = Partial<Omit<RunOrder, "caps">> & { readonly caps?: Partial<RunCaps> };

/** What a test says of the work; `code` is the entry module's. */
export type WorkPart = Partial<RunWork> & { readonly code?: string };

function order(part: OrderPart = {}): RunOrder {
  return {
    runId: `run_${randomUUID().replaceAll("-", "")}`,
    tenant: "acme",
    tenantMaxConcurrent: 0,
    isolation: "tenant",
    net: [],
    stream: false,
    affinity: null,
    ...part,
    caps: { ...CAPS, ...part.caps },
  };
}

function work({ code = "export default () => null", ...part }: WorkPart = {}): RunWork {
  return {
    language: "javascript",
    entry: "main.js",
    modules: { "main.js": code },
    inputJson: null,
    request: null,
    env: {},
    ...part,
  };
}

/** How a request is signed, where a test wants it otherwise than right. */
interface SigningPart {
  /** Sent by DELETE, to end the run of this id. */
  readonly stop?: string;
  /** Sent by PUT, as a job's run, under this id. */
  readonly putAs?: string;
  readonly secret?: string;
  readonly secretId?: string;
  readonly timestampMs?: number;
  readonly nonce?: string;
  readonly bootId?: string;
  /** What the signature is over, where that is not the body that is sent. */
  readonly signedBody?: string;
}

interface RunAnswer {
  readonly response: Response;
  readonly lines: readonly RunLine[];
  /** Of the `end` line; undefined where there is none. */
  readonly result: ExecutorResult | undefined;
}

export interface SandboxService {
  readonly url: string;
  readonly bootId: string;
  readonly pid: number;
  /** Every line that the service logged so far. */
  readonly logged: readonly Record<string, unknown>[];
  /** What it wrote to standard error so far: nothing, where all is well. */
  complaints(): string;
  /** Signs and sends a run, and reads its whole answer. */
  run(
    order?: OrderPart,
    work?: WorkPart,
    options?: SigningPart & { readonly signal?: AbortSignal },
  ): Promise<RunAnswer>;
  /** The same, with the body's text as it is, and the answer unread. */
  send(body: string, options?: SigningPart & { readonly signal?: AbortSignal }): Promise<Response>;
  readiness(): Promise<SandboxReadiness>;
  /** Host pids of the cages' own Node processes. */
  cagePids(): Promise<readonly number[]>;
  signal(name: NodeJS.Signals): void;
  /** Resolves with its exit code, once it is gone. */
  readonly exited: Promise<number | null>;
  /** Ends it in order, and resolves once it is gone. */
  stop(): Promise<number | null>;
}

/**
 * Starts the real service as a process of its own, on a free port, with `env` on top of the
 * defaults, as the user `uid` where one is given. Resolves once it takes work.
 */
export async function startSandboxService(
  env: Readonly<Record<string, string>> = {},
  uid?: number,
): Promise<SandboxService> {
  const all = { SANDBOX_SPARES: "2", ...env };
  const service = await startServiceProcess("sandbox-worker", all, uid);
  const { child, pid, url, bootId, logged, complaints, exited } = service;

  const send: SandboxService["send"] = async (body, options = {}) =>
    await fetch(url + lineOf(options).target, {
      method: lineOf(options).method,
      headers: {
        [SIGNATURE_HEADER]: signRequest(lineOf(options), options.signedBody ?? body, {
          bootId,
          ...options,
        }),
      },
      body,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });

  return {
    url,
    bootId,
    pid,
    logged,
    complaints,
    send,
    run: async (orderPart, workPart, options) => {
      const response = await send(runBody(orderPart, workPart), options);
      const text = await response.text();
      if (response.status !== 200) return { response, lines: [], result: undefined };
      const lines = text
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line) as RunLine);
      const end = lines.find((line) => "end" in line);
      return { response, lines, result: end?.end };
    },
    readiness: async () => (await (await fetch(`${url}/readyz`)).json()) as SandboxReadiness,
    cagePids: async () => await descendants(pid),
    signal: (name) => {
      process.kill(pid, name);
    },
    exited,
    stop: async () => {
      child.kill("SIGTERM");
      return await exited;
    },
  };
}

/** The body of a run: the order's line, and the work. */
export function runBody(orderPart: OrderPart = {}, workPart: WorkPart = {}): string {
  return `${JSON.stringify(order(orderPart))}\n${JSON.stringify(work(workPart))}`;
}

function lineOf({ putAs, stop }: SigningPart): {
  readonly method: string;
  readonly target: string;
} {
  if (stop !== undefined) return { method: "DELETE", target: `/v1/runs/${stop}` };
  return putAs === undefined
    ? { method: "POST", target: "/v1/runs" }
    : { method: "PUT", target: `/v1/runs/${putAs}` };
}

/** Waits until `condition` gives something, and gives it back. */
export async function until<T>(
  condition: () => Promise<T | undefined | false> | T | undefined | false,
  maxMs = 10_000,
): Promise<T> {
  const deadline = Date.now() + maxMs;
  for (;;) {
    const value = await condition();
    if (value !== undefined && value !== false) return value;
    if (Date.now() > deadline) throw new Error(`waited ${maxMs} ms for ${condition.toString()}`);
    await pause();
  }
}

const pause = async (): Promise<void> => {
  await new Promise((resume) => setTimeout(resume, 5));
};

/** Node calls its main thread so on Linux; around it stand tools of other names. */
const CAGE_NAMES = ["node", "MainThread"];

async function descendants(pid: number): Promise<readonly number[]> {
  const { readdir, readFile } = await import("node:fs/promises");
  const parents = new Map<number, number>();
  const names = new Map<number, string>();
  for (const entry of await readdir("/proc")) {
    if (!/^[0-9]+$/.test(entry)) continue;
    const stat = await readFile(`/proc/${entry}/stat`, "utf8").catch(() => "");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (stat === "" || fields[0] === "Z") continue;
    parents.set(Number(entry), Number(fields[1]));
    names.set(Number(entry), stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")")));
  }
  const isBelow = (one: number | undefined): boolean =>
    one !== undefined && (one === pid || isBelow(parents.get(one)));
  return [...parents.keys()].filter(
    (one) => one !== pid && isBelow(one) && CAGE_NAMES.includes(names.get(one) ?? ""),
  );
}
