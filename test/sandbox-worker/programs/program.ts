import { createHash } from "node:crypto";

import { afterAll, beforeAll, expect } from "vitest";

import type {
  ExecutorResult,
  GuestRequest,
  Isolation,
  RunCaps,
  RunLine,
  RunOrder,
  RunWork,
} from "../../../protocol/sandbox-api.ts";
import { decodeTagged } from "../../../protocol/tagged-value.ts";
import { startSandboxService } from "../../support/sandbox-service.ts";
import type { SandboxService } from "../../support/sandbox-service.ts";
import { running } from "./process-tree.ts";

/** A program and how it is run; what is left out is what a gateway sends by default. */
export interface Program {
  /** Source of the entry module. */
  readonly code: string;
  readonly language?: "javascript" | "typescript";
  readonly modules?: Readonly<Record<string, string>>;
  /** JSON value, or its exact text. */
  readonly input?: unknown;
  readonly inputJson?: string;
  readonly request?: GuestRequest;
  readonly env?: Readonly<Record<string, string>>;
  readonly net?: readonly string[];
  readonly tenant?: string;
  readonly isolation?: Isolation;
  readonly caps?: Partial<RunCaps>;
  readonly stream?: boolean;
}

const CAPS: RunCaps = {
  wallMs: 10_000,
  cpuMs: 5000,
  memoryMb: 64,
  outputBytes: 1 << 20,
  resultBytes: 1 << 20,
  fetches: 50,
  fetchMs: 5000,
  fetchBytes: 10 << 20,
  pendingOps: 1000,
};

/**
 * One real sandbox-worker for a test file, started before its tests and stopped after them, and
 * what the tests do with it.
 */
export function programs(env: Readonly<Record<string, string>> = {}, after?: () => Promise<void>) {
  let service: SandboxService;
  let count = 0;

  beforeAll(async () => {
    service = await startSandboxService(env);
  }, 60_000);
  afterAll(async () => {
    await service.stop();
    await after?.();
  }, 60_000);

  /** Every line that the service answered. */
  const lines = async (program: Program, signal?: AbortSignal): Promise<readonly RunLine[]> => {
    const { order, work } = asRun(program, `run_${++count}`);
    const sent = await service.run(order, work, signal === undefined ? {} : { signal });
    if (sent.response.status !== 200) throw new Error(`refused with ${sent.response.status}`);
    return sent.lines;
  };

  const answer = async (program: Program): Promise<RunLine> => {
    const last = (await lines(program)).at(-1);
    if (last === undefined) throw new Error("the service answered no line");
    return last;
  };

  const run = async (program: Program): Promise<ExecutorResult> => {
    const line = await answer(program);
    if (!("end" in line)) throw new Error(`the run did not start: ${JSON.stringify(line)}`);
    return line.end;
  };

  /** Starts a run and leaves it; `cancel` drops the request, as a gateway does whose client has gone. */
  const start = (program: Program) => {
    const caller = new AbortController();
    const ended = lines(program, caller.signal).then(
      (all) => all.at(-1),
      (error: unknown) => {
        if (!caller.signal.aborted) throw error;
        return undefined;
      },
    );
    return { ended, cancel: () => caller.abort() };
  };

  const neighbourIsWell = async (): Promise<void> => {
    const code = "export default ({ n }: { n: number }) => n + 1;";
    const result = await run({ code, input: { n: count }, tenant: "neighbour" });
    expect(result).toMatchObject({ outcome: "ok", certainty: "certain" });
    expect(value(result)).toBe(count);
  };

  /** Waits until no run is under way, no cage is over the maximum, and no process of the service is busy. */
  const quiet = async (): Promise<void> => {
    await expect
      .poll(
        async () => {
          const { ready, inFlight, queued, cages } = await service.readiness();
          const idle = inFlight === 0 && queued === 0 && cages.busy === 0;
          const spinning = running(service.pid);
          return { ready, idle, withinMax: cages.live <= cages.max, spinning };
        },
        { timeout: 10_000 },
      )
      .toEqual({ ready: true, idle: true, withinMax: true, spinning: [] });
  };

  const servicePid = (): number => service.pid;
  return { run, answer, lines, start, value, servicePid, neighbourIsWell, quiet };
}

function asRun(program: Program, runId: string): { order: RunOrder; work: RunWork } {
  const { language = "typescript", code, modules = {}, input, inputJson } = program;
  const entry = language === "typescript" ? "main.ts" : "main.js";
  const isolation = program.isolation ?? "tenant";
  const work: RunWork = {
    language,
    entry,
    modules: { ...modules, [entry]: code },
    inputJson: inputJson ?? (input === undefined ? null : JSON.stringify(input)),
    request: program.request ?? null,
    env: program.env ?? {},
  };
  const caps = { ...CAPS, ...program.caps };
  const net = [...(program.net ?? [])];
  const key = [language, entry, work.modules, work.env, caps, net];
  const order: RunOrder = {
    runId,
    tenant: program.tenant ?? "tester",
    tenantMaxConcurrent: 0,
    isolation,
    caps,
    net,
    stream: program.stream ?? false,
    affinity:
      isolation === "warm" ? createHash("sha256").update(JSON.stringify(key)).digest("hex") : null,
  };
  return { order, work };
}

/** What a run gave, decoded as a client does. Fails the test where it gave nothing. */
function value(result: ExecutorResult): unknown {
  if (result.outcome !== "ok" || result.valueJson === null) {
    const { outcome, error, stderr } = result;
    throw new Error(`the run gave no value: ${JSON.stringify({ outcome, error, stderr })}`);
  }
  const json: unknown = JSON.parse(result.valueJson);
  return result.encoding === "tagged" ? decodeTagged(json) : json;
}
