import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { base32 } from "../../protocol/api-key.ts";
import { ContainerEvent } from "../../protocol/container-api.ts";
import type {
  ContainerCaps,
  ContainerOrder,
  ContainerReadiness,
  ContainerResult,
  RunStatus,
} from "../../protocol/container-api.ts";
import { SIGNATURE_HEADER } from "../../protocol/signature.ts";
import { signRequest, startServiceProcess } from "./service-process.ts";

/** Enough for a small program, and small enough that a limit is soon met. */
const CAPS: ContainerCaps = {
  wallMs: 20_000,
  cpuMs: null,
  memoryMb: 256,
  cpus: 1,
  pids: 100,
  diskMb: 64,
  outputBytes: 1024 * 1024,
  outputFileBytes: 8 * 1024 * 1024,
  artifactFiles: 100,
  artifactBytes: 16 * 1024 * 1024,
};

/** What a test says of an order; the rest is the default. */
export type OrderPart = Partial<Omit<ContainerOrder, "caps">> & {
  readonly caps?: Partial<ContainerCaps>;
};

/** A run id that no other test has. */
export const newRunId = (): string => `job_${base32(randomBytes(17)).slice(0, 26)}.1`;

/** An order for bash, but for what is said. */
export function order(part: OrderPart = {}): ContainerOrder {
  const { caps, ...rest } = part;
  return {
    runId: newRunId(),
    tenant: "acme",
    runtime: part.image === undefined || part.image === null ? "bash" : null,
    image: null,
    code: "true",
    inputJson: null,
    args: [],
    env: {},
    stdin: null,
    files: [],
    artifacts: [],
    net: [],
    ...rest,
    caps: { ...CAPS, ...caps },
  };
}

/** A run as it was told, to its end. */
interface ToldRun {
  readonly runId: string;
  readonly events: readonly ContainerEvent[];
  readonly result: ContainerResult;
}

export interface ContainerService {
  readonly url: string;
  readonly pid: number;
  readonly stateFolder: string;
  /** Every line that the service logged so far. */
  readonly logged: readonly Record<string, unknown>[];
  complaints(): string;
  /** Signs and sends a request. */
  send(method: string, target: string, body?: string, signal?: AbortSignal): Promise<Response>;
  put(order: ContainerOrder): Promise<Response>;
  /** Puts an order, and reads its events to the end. */
  run(part?: OrderPart): Promise<ToldRun>;
  /** Events after a number, parsed, as they come; ends where the stream does. */
  events(runId: string, after?: number): AsyncGenerator<ContainerEvent, void, undefined>;
  status(runId: string): Promise<RunStatus>;
  readiness(): Promise<ContainerReadiness>;
  signal(name: NodeJS.Signals): void;
  readonly exited: Promise<number | null>;
  /** Ends it in order, and resolves once it is gone. What it left on disk is the test's to keep or remove. */
  stop(): Promise<number | null>;
  removeState(): void;
}

/** The small limits of the tests' spares, so that an order of the tests' defaults fits one. */
const TEST_ENV = {
  DOCKER_MEMORY_LIMIT: "512m",
  CONTAINER_DISK_MB: "64",
  DOCKER_PIDS_LIMIT: "100",
  CONTAINER_SPARES: "1",
  CONTAINER_SPARES_MAX: "1",
  MAX_CONCURRENT_CONTAINERS: "4",
  DRAIN_TIMEOUT_MS: "2000",
};

/** Starts the real service as a process, on a free port, with `env` on top of the tests' defaults. Resolves once it takes work. */
export async function startContainerService(
  env: Readonly<Record<string, string>> & { readonly DOCKER_HOST: string },
  stateFolder: string = mkdtempSync(join(tmpdir(), "bulkhead-containers-")),
): Promise<ContainerService> {
  const { child, pid, url, bootId, logged, complaints, exited } = await startServiceProcess(
    "container-executor",
    {
      CONTAINER_STATE_DIR: stateFolder,
      ...TEST_ENV,
      ...env,
    },
  );

  const send: ContainerService["send"] = async (method, target, body = "", signal) =>
    await fetch(`${url}${target}`, {
      method,
      headers: { [SIGNATURE_HEADER]: signRequest({ method, target }, body, { bootId }) },
      ...(body === "" ? {} : { body }),
      ...(signal === undefined ? {} : { signal }),
    });

  async function* events(
    runId: string,
    after = 0,
  ): AsyncGenerator<ContainerEvent, void, undefined> {
    const left = new AbortController();
    const target = `/v1/runs/${runId}/events?after=${after}`;
    try {
      const response = await send("GET", target, "", left.signal);
      if (!response.ok) throw new Error(`events of ${runId}: ${response.status}`);
      let rest = "";
      const decoder = new TextDecoder();
      for await (const chunk of response.body ?? []) {
        rest += decoder.decode(chunk as Uint8Array, { stream: true });
        const lines = rest.split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) if (line !== "") yield ContainerEvent.parse(JSON.parse(line));
      }
    } finally {
      left.abort();
    }
  }

  const put: ContainerService["put"] = async (body) =>
    await send("PUT", `/v1/runs/${body.runId}`, JSON.stringify(body));

  return {
    url,
    pid,
    stateFolder,
    logged,
    complaints,
    send,
    put,
    events,
    run: async (part) => {
      const body = order(part);
      const response = await put(body);
      if (response.status !== 201) throw new Error(`${response.status} ${await response.text()}`);
      const told = await allOf(events(body.runId));
      const last = told.at(-1);
      if (last?.type !== "end") throw new Error("the stream ended without its end");
      return { runId: body.runId, events: told, result: last.result };
    },
    status: async (runId) => (await (await send("GET", `/v1/runs/${runId}`)).json()) as RunStatus,
    readiness: async () => (await (await fetch(`${url}/readyz`)).json()) as ContainerReadiness,
    signal: (name) => {
      process.kill(pid, name);
    },
    exited,
    stop: async () => {
      child.kill("SIGTERM");
      return await exited;
    },
    removeState: () => {
      rmSync(stateFolder, { recursive: true, force: true });
    },
  };
}

/** Bytes of a stream, put together from its events. */
export function bytesOf(events: readonly ContainerEvent[], stream: "stdout" | "stderr"): Buffer {
  return Buffer.concat(
    events.flatMap((event) =>
      event.type === stream ? [Buffer.from(event.data, event.encoding)] : [],
    ),
  );
}

/** Everything that comes, once nothing more does. */
export async function allOf<T>(coming: AsyncIterable<T>): Promise<readonly T[]> {
  const all: T[] = [];
  for await (const one of coming) all.push(one);
  return all;
}
